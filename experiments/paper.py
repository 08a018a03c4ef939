"""The paper's numbers (facts and figures, cited in paper_values.json), to stand beside ours."""

import json
from functools import cache
from pathlib import Path
from typing import Any

NAMES = {"Unigram": "SentencePiece"}


@cache
def values() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("paper_values.json").read_text())


def paper_name(tokenizer: str) -> str:
    """The paper's name for one of our tokenizers: its 32,000-piece Unigram stands beside ours of any size."""
    return NAMES.get(tokenizer.split("[")[0], tokenizer)


def lookup(table: str, tokenizer: str, *path: str) -> Any:
    """The paper's number for a tokenizer, or None where it has none."""
    found = values()[table].get(paper_name(tokenizer))
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def points() -> dict[str, list[tuple[float, float, float]]]:
    """Tokenizer -> [(MFLOPs/byte, bits/byte, bytes/step)] over the paper's sizes (table 15, table 12's ratios)."""
    ratios = {name: row["ratio"] for name, row in values()["table12"].items()}
    return {
        name: [(p["mflops_per_byte"], p["bits_per_byte"], ratios[name]) for p in sizes.values()]
        for name, sizes in values()["fig3_table15"].items()
    }
