"""The tables of docs/scale.md, from committed rows: python -m benchmarks.costs

What C4 takes to tokenize, by rows of benchmarks.size (reading, encoding and writing) and of
benchmarks.big_windows, and what figure 3 takes to train at the paper's sizes, by the FLOPs that its
plan counts. The GPU and the prices are assumptions, and are named as such.
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.size import DOCUMENT, LINES
from experiments import catalogue
from experiments.plan.cost import cost
from experiments.plan.jobs import amount, closure

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "scale.md"
C4 = 800e9  # bytes of text of C4 (en)
CORE_HOUR = 0.04  # dollars, assumed, as all that follows
GPU_HOUR = 2.5
GPU = "H100"
GPU_FLOPS = 0.4 * 989e12  # a second: 40 % of what NVIDIA states for dense bfloat16


def rows(name: str) -> list[dict[str, Any]]:
    path = ROOT / "results" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tokenizing() -> list[list[str]]:
    """Of each tokenizer: MB/s of a core, core hours and dollars for C4, and the shards' size."""
    largest: dict[str, dict[str, Any]] = {}
    for row in sorted(rows("size"), key=lambda row: row["size"]):
        if row["form"] == "documents":
            largest[row["tokenizer"]] = row
    rates = {
        name: (row["text_bytes"] / row["seconds"], row["ids_bytes"] / row["text_bytes"])
        for name, row in largest.items()
    }
    lines = [["tokenizer", "MB/s a core", "core hours", "dollars", "shards"]]
    for name, (rate, share) in sorted(rates.items(), key=lambda item: -item[1][0]):
        lines.append([name, *_times(rate), f"{C4 * share / 1e9:,.0f} GB"])
    running = next(row for row in rows("m1_speed") if row["benchmark"] == "big_windows")
    for b in (16, 64):
        name = f"windows of {b} bits over a running M1 of 3 M weights"
        lines.append([name, *_times(running["bytes_a_second"][f"b={b} encode"]), ""])
    return lines


def size() -> list[list[str]]:
    """Of each tokenizer: time a GB at the smallest and the largest text, and peak memory."""
    forms: dict[str, list[dict[str, Any]]] = defaultdict(list)
    others: dict[tuple[str, str, int], dict[str, Any]] = {}
    for row in sorted(rows("size"), key=lambda row: row["size"]):
        if row["form"] == "documents":
            forms[row["tokenizer"]].append(row)
        others[row["tokenizer"], row["form"], row["size"]] = row
    lines = [["tokenizer", "MB", "s/GB", "peak, MB", "a million lines", "a document of 500 MB"]]
    for name, found in forms.items():
        ends = [found[0], found[-1]]
        cells = [" to ".join(f"{row['size']:,}" for row in ends)]
        cells.append(" to ".join(f"{1e9 * row['seconds'] / row['num_bytes']:,.1f}" for row in ends))
        cells.append(" to ".join(f"{row['peak_mb']:.0f}" for row in ends))
        for form, number in (("lines", LINES), ("document", DOCUMENT)):
            row = others.get((name, form, number))
            cells.append(f"{row['peak_mb']:.0f}" if row else "")
        lines.append([name, *cells])
    return lines


def _times(rate: float) -> list[str]:
    hours = C4 / rate / 3600
    return [f"{rate / 1e6:.3g}", f"{hours:,.0f}", f"{hours * CORE_HOUR:,.2f}"]


def training() -> list[list[str]]:
    """Of each size in figure 3 at the paper's scale: runs, ids, FLOPs, and hours and dollars."""
    found: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0, 0])
    for recipe in closure(catalogue.recipes_of(["fig3"], catalogue.find_scale("paper"))):
        part = cost(recipe)
        if part.flops:
            for place, value in enumerate((1, part.tokens, part.flops)):
                found[type(recipe).__name__, part.size][place] += value
    lines = [["", "size", "runs", "ids", "FLOPs", f"hours of one {GPU}", "dollars"]]
    total = [sum(values[place] for values in found.values()) for place in range(3)]
    for (kind, size), values in [*found.items(), (("total", ""), total)]:
        hours = values[2] / GPU_FLOPS / 3600
        runs, ids, flops = f"{values[0]:.0f}", amount(values[1]), f"{values[2]:.2g}"
        lines.append([kind, size, runs, ids, flops, f"{hours:,.0f}", f"{hours * GPU_HOUR:,.0f}"])
    return lines


def table(lines: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|---" + "|--:" * (len(lines[0]) - 1) + "|", *body])


def page(text: str) -> str:
    """The page with its tables made anew."""
    tables = {"tokenizing": tokenizing, "training": training, "size": size}
    for name, made in ((name, make()) for name, make in tables.items()):
        block = f"<!-- {name} -->\n{table(made)}\n<!-- end -->"
        text = re.sub(f"<!-- {name} -->.*?<!-- end -->", lambda _: block, text, flags=re.DOTALL)  # noqa: B023
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
