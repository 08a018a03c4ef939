"""Three small tasks on a corpus's validation text: equinfo_text, equinfo_cloze, equinfo_order."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

TASKS = ("equinfo_text", "equinfo_cloze", "equinfo_order")
FOLDER = Path(__file__).parent
"""The tasks' files: what `lm_eval --include_path` takes where equinfo.harness is not imported."""


def _known(init: Callable[..., None]) -> Callable[..., None]:
    """TaskManager's __init__ with our folder among those that it reads: lm_eval has no plug-ins."""

    @wraps(init)
    def with_ours(
        self: TaskManager, verbosity: str | None = None, include_path: Any = None, **options: Any
    ) -> None:
        given = include_path if isinstance(include_path, list | tuple) else [include_path]
        paths = [Path(path) for path in given if path]
        init(self, verbosity, list(dict.fromkeys([FOLDER, *paths])), **options)

    return with_ours


TaskManager.__init__ = _known(TaskManager.__init__)


def task_manager(corpus: str = "bundled", *, include_defaults: bool = False) -> TaskManager:
    """Our tasks on a corpus (as `load_corpus`). include_defaults: harness's own too: slow."""
    return TaskManager(include_defaults=include_defaults, metadata={"corpus": corpus})


def evaluate(
    lm: LM, tasks: Sequence[str] = TASKS, *, corpus: str = "bundled", limit: int | None = None
) -> dict[str, dict[str, Any]]:
    """Results of each task, as harness names them ("acc,none", "acc_stderr,none", ...).

    "right" of a task with choices: 1 or 0 of each example. limit: examples a task, the first ones.
    As lm_eval.simple_evaluate, without its look at the machine.
    """
    with _errors_only():
        loaded = task_manager(corpus).load(list(tasks))
        found = lm_eval.evaluate(lm=lm, task_dict=loaded, limit=limit, log_samples=True)
    for task, samples in found["samples"].items():
        in_order = sorted(samples, key=lambda one: one["doc_id"])
        if in_order and "acc" in in_order[0]:
            found["results"][task]["right"] = [int(one["acc"]) for one in in_order]
    return found["results"]


@contextmanager
def _errors_only() -> Iterator[None]:
    """Of harness's messages, which otherwise advise those who run it by its command line."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
