"""What is measured of tokenizers without an M2: a function for each `what` of a Measure."""

from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from typing import Any

from equinfo.errors import EquinfoError
from experiments.runs.recipes import Measure
from experiments.runs.runner import Runner

# what -> module and function, (runner, recipe, tokenizer) -> the row's `values`.
MEASURES = {
    "sentence": "experiments.runs.measures.sentence:measure",
    "window texts": "experiments.runs.measures.texts:measure",
    "edit distances": "experiments.runs.measures.edits:measure",
    "uniformity": "experiments.runs.measures.uniformity:measure",
    "decoding": "experiments.runs.measures.decoding:measure",
    "untold": "experiments.runs.measures.untold:measure",
}


def run(runner: Runner, recipe: Measure, label: str) -> dict[str, Any]:
    """Carry out a Measure: a row's fields. Raises EquinfoError for one that does not exist."""
    if recipe.what not in MEASURES:
        raise EquinfoError(f"unknown measure {recipe.what!r}; known: {', '.join(MEASURES)}")
    module, name = MEASURES[recipe.what].split(":")
    tokenizer = runner.tokenizer(recipe.stream.tokens, label)
    return {
        "values": getattr(import_module(module), name)(runner, recipe, tokenizer),
        "tokenizer": tokenizer.name,
        "code_size": tokenizer.code_size,
        "m1_parameters": tokenizer.m1_parameters,
        "fingerprint": tokenizer.fingerprint,
    }


def validation(runner: Runner, recipe: Measure) -> Iterator[bytes]:
    """The first `number` documents of the validation text."""
    stream = recipe.stream
    return islice(
        runner.documents(stream.corpus, "validation", stream.validation_bytes), recipe.number
    )
