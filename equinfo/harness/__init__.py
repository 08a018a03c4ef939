"""equinfo's LMs and tasks in EleutherAI's lm-evaluation-harness: pip install 'equinfo[harness]'.

lm_eval has no plug-ins: importing this package makes the model "equinfo" and the tasks known.

    import equinfo.harness
    from lm_eval import simple_evaluate

    simple_evaluate(model="equinfo", model_args="lm=lm,tokenizer=english-64k",
                    tasks=["equinfo_cloze"])

On the command line, with lm_eval's own options:

    python -m equinfo.harness --model_args lm=lm,tokenizer=english-64k --tasks equinfo

The tasks (tasks/*.yaml) are made of a corpus's validation text, without a network: the bundled one,
or task_manager=equinfo.harness.task_manager("my.txt").
"""

from equinfo.errors import needing

with needing("harness", "equinfo.harness"):
    from equinfo.harness.model import EquinfoLM
    from equinfo.harness.tasks import TASKS, evaluate, task_manager

__all__ = ["TASKS", "EquinfoLM", "evaluate", "task_manager"]
