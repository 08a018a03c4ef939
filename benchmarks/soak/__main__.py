"""Fuzz and faults: hostile ids, folders and files, damage, kills, full disks, two writers.

    python -m benchmarks.soak                                all parts, as large as they are
    python -m benchmarks.soak decoders --seed 0 --count 1000 --jobs 2
    python -m benchmarks.soak --table                        what all rows say, for SECURITY.md

A seed decides all of a trial; each range of seeds makes a row of results/soak.jsonl, with a count
of every outcome, and a range that has its row without a failure is not run again. Every failure is
printed with its seed, and the exit status is 1.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import trials
from benchmarks.common import append
from benchmarks.soak import guided

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "soak.jsonl"
# machine code of its own, which no other run reads
BOUNDS = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(ROOT / "runs" / "soak-kernels")}


@dataclass(frozen=True)
class Part:
    """run(first, count, jobs) -> outcomes; trials in all, and of a row; what its processes find."""

    run: Callable[[int, int, int], "Counter[str]"]
    count: int
    row: int
    environment: dict[str, str] = field(default_factory=dict)


def of(trial: str, stuck: float = trials.STUCK) -> Callable[[int, int, int], "Counter[str]"]:
    return partial(trials.run, f"benchmarks.{trial}", stuck=stuck)


HOUR = 3600.0  # a fault runs its command twice; kernels with bounds checks are compiled first
PARTS = {
    "decoders": Part(of("soak.decoders:trial"), 8_000_000, 1_000_000),
    "artefacts": Part(of("mutations:trial"), 500_000, 100_000),
    "readers": Part(of("soak.readers:trial"), 1_500_000, 500_000),
    "guided": Part(guided.run, 500_000, 250_000),
    "damage": Part(of("soak.damage:trial"), 10_000, 10_000),
    "bounds-decoders": Part(of("soak.decoders:trial", HOUR), 100_000, 50_000, BOUNDS),
    "bounds-artefacts": Part(of("mutations:trial", HOUR), 20_000, 10_000, BOUNDS),
    "kills": Part(of("soak.faults:kill", HOUR), 100, 25),
    "full": Part(of("soak.faults:full", HOUR), 44, 22),
    "two": Part(of("soak.faults:two", HOUR), 22, 22),
}


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """As processes that are started meanwhile find it."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(name: str, first: int, count: int, jobs: int) -> "Counter[str]":
    part = PARTS[name]
    with environment({"PYTHONWARNINGS": "ignore", **part.environment}):
        return part.run(first, count, jobs)


def read(out: Path) -> dict[tuple[str, int, int], "Counter[str]"]:
    """Outcomes by (part, first, count), the last of each."""
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return {(r["part"], r["first"], r["count"]): Counter(r["outcomes"]) for r in rows}


def failures(outcomes: "Counter[str]") -> int:
    return sum(outcomes[kind] for kind in trials.FAILURES)


def table(out: Path) -> str:
    """In Markdown, a line a part."""
    totals: dict[str, Counter[str]] = {}
    for (name, *_), outcomes in read(out).items():
        totals.setdefault(name, Counter()).update(outcomes)
    lines = ["| part | trials | outcomes | failures |", "|---|---:|---|---:|"]
    for name, total in totals.items():
        good = {kind: n for kind, n in total.items() if n and kind not in trials.FAILURES}
        told = ", ".join(f"{n:,} {kind}" for kind, n in sorted(good.items()))
        lines.append(f"| {name} | {total.total():,} | {told} | {failures(total)} |")
    return "\n".join(lines)


def main() -> int:
    """Exit status 1 where anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="PART", choices=[[], *PARTS], help=", ".join(PARTS)
    )
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--count", type=int, help="trials, of each part")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what the rows say, and end")
    given = parser.parse_args()
    if given.table:
        print(table(given.out))
        return 0
    failed = False
    there = {key for key, outcomes in read(given.out).items() if not failures(outcomes)}
    for name in given.names or PARTS:
        part = PARTS[name]
        last = given.seed + (given.count or part.count)
        for first in range(given.seed, last, part.row):
            count = min(part.row, last - first)
            if (name, first, count) in there:
                continue
            begin = time.monotonic()
            outcomes = run(name, first, count, given.jobs)
            row = {"benchmark": "soak", "part": name, "first": first, "count": count}
            row |= {"outcomes": dict.fromkeys(trials.FAILURES, 0) | dict(sorted(outcomes.items()))}
            row["seconds"] = round(time.monotonic() - begin)
            print(json.dumps(row), flush=True)
            append(row, given.out)
            failed |= failures(outcomes) > 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
