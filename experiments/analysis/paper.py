"""The paper's numbers (facts and figures, cited in paper_values.json), to stand beside ours."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from equinfo.tokenizers.registry import FAMILIES
from experiments.runs.recipes import Tokens, Training
from experiments.scales import Scale

WINDOWS = (16, 32, 64, 128)
BETWEEN = 24
SIZES = ("25m", "113m", "403m", "2b")
CODED = ("gzip", "ac", "static-ac", "equalinfo")  # the families of its tables, in 8 and 16 bits


@cache
def values() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("paper_values.json").read_text())


def counterpart(tokens: Tokens, scale: Scale) -> str | None:
    """The paper's name for what a tokenizer of this scale stands for; None where it has nothing of
    the kind.

    Our narrow and wide ids stand for its 8 and 16 bits, our four windows for its four (whatever
    their rule and reset), a Unigram of any size for its 32,000 pieces.
    """
    if tokens.family in ("bytes", "unigram"):
        return {"bytes": "Bytes", "unigram": "SentencePiece"}[tokens.family]
    if tokens.family not in CODED:
        return None
    narrow = 8 if tokens.family == "gzip" else scale.narrow
    width = {1 << narrow: "v=256", 1 << scale.wide: "v=65k"}.get(tokens.size)
    if width is None:
        return None
    if tokens.family == "equalinfo":
        bits = {**dict(zip(scale.windows, WINDOWS, strict=True)), scale.between: BETWEEN}.get(
            tokens.bits or 0
        )
        width = None if bits is None else f"b={bits},{width}"
    return width and f"{FAMILIES[tokens.family].label}[{width}]"


def size(training: Training, scale: Scale) -> str | None:
    """The paper's M2 size that one of this scale's stands for."""
    sizes = [one.size for one in scale.m2_trainings]
    return SIZES[sizes.index(training.size)] if training.size in sizes else None


def lookup(table: str, *path: str | None) -> Any:
    """The paper's number: values.json's `table`, then a key a step; None where it has none."""
    found = values()[table]
    for name in path:
        found = found.get(name) if isinstance(found, dict) and name else None
    return found


def points() -> dict[str, list[tuple[float, float, float]]]:
    """Tokenizer -> [(MFLOPs/byte, bits/byte, bytes/step)] over sizes (tables 15 and 12)."""
    ratios = {name: row["ratio"] for name, row in values()["table12"].items()}
    return {
        name: [(p["mflops_per_byte"], p["bits_per_byte"], ratios[name]) for p in sizes.values()]
        for name, sizes in values()["fig3_table15"].items()
    }
