"""Fuzz and faults: hostile ids, folders and files, damage, kills, full disks, two writers.

    python -m benchmarks.soak                                all parts, as large as they are
    python -m benchmarks.soak decoders --seed 0 --count 1000 --jobs 2

A seed decides all of a trial; ranges of seeds make a row each in results/soak.jsonl, with a count
of every outcome, and a range that has its row without a failure is not run again. Every failure is
printed with its seed, and the exit status is 1. Parts: {parts}.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from collections.abc import Iterator
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


HOUR = 3600.0  # a fault may wait for its command, run twice, on a busy machine
PARTS = {
    "decoders": Part(of("soak.decoders:trial"), 8_000_000, 1_000_000),
    "artefacts": Part(of("mutations:trial"), 500_000, 100_000),
    "readers": Part(of("soak.readers:trial"), 1_500_000, 500_000),
    "guided": Part(guided.run, 500_000, 250_000),
    "damage": Part(of("soak.damage:trial"), 10_000, 10_000),
    "bounds-decoders": Part(of("soak.decoders:trial"), 100_000, 50_000, BOUNDS),
    "bounds-artefacts": Part(of("mutations:trial"), 20_000, 10_000, BOUNDS),
    "kills": Part(of("soak.faults:kill", HOUR), 100, 25),
    "full": Part(of("soak.faults:full", HOUR), 44, 22),
    "two": Part(of("soak.faults:two", HOUR), 22, 22),
}
__doc__ = (__doc__ or "").format(parts=", ".join(PARTS))


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


def done(out: Path) -> set[tuple[str, int, int]]:
    """(part, first, count) of the rows without a failure."""
    rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return {
        (row["part"], row["first"], row["count"])
        for row in rows
        if not any(row["outcomes"].get(name) for name in trials.FAILURES)
    }


def main() -> int:
    """Exit status 1 where anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="PART", choices=[[], *PARTS])
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--count", type=int, help="trials, of each part")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    failed = False
    there = done(given.out)
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
            failed |= any(outcomes[kind] for kind in trials.FAILURES)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
