"""An M2 under lm-evaluation-harness: our tasks on its corpus's validation text."""

from typing import Any

from equinfo.harness import EquinfoLM, evaluate
from experiments.runs.generating import compiled
from experiments.runs.recipes import Questions
from experiments.runs.runner import Runner, trained_folder


def run(runner: Runner, recipe: Questions, label: str) -> dict[str, Any]:
    """values: "cloze" and "order": accuracy, its standard error, questions, 1 or 0 of each as
    right; "text": bits_per_byte, documents.
    """
    stream = recipe.lm.stream
    tokenizer = runner.tokenizer(stream.tokens, label)
    lm = EquinfoLM(trained_folder(runner, recipe.lm, label), compiled(runner, stream.tokens, label))
    runner.check_time()
    results = evaluate(lm, corpus=stream.corpus, limit=recipe.number)
    text = results["equinfo_text"]
    return {
        "values": {
            **{name: choices(results[f"equinfo_{name}"]) for name in ("cloze", "order")},
            "text": {"bits_per_byte": text["bits_per_byte,none"], "documents": text["sample_len"]},
        },
        "tokenizer": tokenizer.name,
        "code_size": tokenizer.code_size,
        "size": recipe.lm.training.size,
        "parameters": lm.model.config.parameters,
        "m1_parameters": tokenizer.m1_parameters,
        "fingerprint": tokenizer.fingerprint,
    }


def choices(result: dict[str, Any]) -> dict[str, Any]:
    """What a task of several choices came to."""
    return {
        "accuracy": float(result["acc,none"]),
        "stderr": float(result["acc_stderr,none"]),
        "questions": result["sample_len"],
        "right": result["right"],
    }
