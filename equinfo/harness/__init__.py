"""equinfo's LMs and tasks in EleutherAI's lm-evaluation-harness: pip install 'equinfo[harness]'.

lm_eval has no plug-ins: importing this package registers the model "equinfo" and is what makes it
known.

    import equinfo.harness
    from lm_eval import simple_evaluate

    simple_evaluate(model="equinfo", model_args="lm=lm,tokenizer=english-64k",
                    tasks=["equinfo_cloze"], task_manager=equinfo.harness.task_manager())

On the command line, with lm_eval's own options:

    python -m equinfo.harness --model_args lm=lm,tokenizer=english-64k --tasks equinfo

The tasks (tasks/*.yaml) are made of a corpus's validation text, without a network.
"""

from equinfo.errors import needing

with needing("harness", "equinfo.harness"):
    from equinfo.harness.model import EquinfoLM
    from equinfo.harness.tasks import TASKS, evaluate, task_manager

__all__ = ["TASKS", "EquinfoLM", "evaluate", "task_manager"]
