"""Tokens a second of M2's training steps: this tree against another's, beside busy processes.

    git worktree add runs/base 17dedb0
    python -m benchmarks.train_speed --against runs/base [--busy 0 1 5] [--sizes 0.4m 3m]
    python -m benchmarks.train_speed --against . --precision bfloat16 --against-precision float32

Each measurement is a process of its own that trains as `equinfo train-lm` does (lm.train: batches,
loss, backward, clipping, AdamW, metrics), and whose first steps do not count. Rows go to
results/train_speed.jsonl.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import tyro

from benchmarks.common import append

ROOT = Path(__file__).resolve().parents[1]
RUN = """
import json, sys, tempfile, warnings
from pathlib import Path
import equinfo
import numpy as np
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern
from equinfo.lm.train import train

size, vocab, steps, precision = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
warnings.simplefilter("ignore")
loop = {"steps": steps, "batch_size": 16, "context": 256, "precision": precision}
config = TrainConfig(modern(size, vocab), OptimizerConfig(), 0, **loop)
ids = np.random.default_rng(0).integers(vocab, size=16 * 256 * 8, dtype=np.uint32)
with tempfile.TemporaryDirectory() as folder:
    train(config, ids, Path(folder))
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    seconds = [json.loads(line)["seconds"] for line in lines]
first = steps // 4
print((steps - 1 - first) * 16 * 256 / (seconds[-1] - seconds[first]))
"""


def spin() -> None:
    while True:
        pass


def tokens_a_second(tree: Path, size: str, vocab: int, steps: int, precision: str) -> float:
    # as a process starts: what this one's own import of equinfo has set must not reach it
    ours = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    command = [sys.executable, "-c", RUN, size, str(vocab), str(steps), precision]
    environment["PYTHONPATH"] = str(tree.resolve())
    done = subprocess.run(
        command, cwd=tempfile.gettempdir(), env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout)


def main(
    against: Path,
    busy: tuple[int, ...] = (0, 1, 5),
    sizes: tuple[str, ...] = ("0.4m", "3m"),
    vocab: int = 4099,
    precision: str = "float32",
    against_precision: str = "",
    rounds: int = 3,
    steps: int = 12,
    out: Path = ROOT / "results" / "train_speed.jsonl",
) -> None:
    head = ["git", "-C", str(against), "rev-parse", "--short=12", "HEAD"]
    base = subprocess.run(head, capture_output=True, text=True).stdout.strip()
    trees = {"ours": (ROOT, precision), "theirs": (against, against_precision or precision)}
    for number in busy:
        spinning = [multiprocessing.Process(target=spin, daemon=True) for _ in range(number)]
        for process in spinning:
            process.start()
        for size in sizes:
            found: dict[str, list[float]] = {name: [] for name in trees}
            for _ in range(rounds):
                for name, (tree, products) in trees.items():
                    found[name].append(tokens_a_second(tree, size, vocab, steps, products))
            ratio = statistics.median(a / b for a, b in zip(*found.values(), strict=True))
            row = {"size": size, "vocab": vocab, "precision": precision, "busy": number}
            row |= {"against": base, "against_precision": trees["theirs"][1]}
            row["ratio"] = round(ratio, 3)
            row |= {f"{name}_tokens_per_second": list(map(round, at)) for name, at in found.items()}
            append(row, out)
            print(f"{size}, {number} busy processes: {ratio:.2f}x  {found}", flush=True)
        for process in spinning:
            process.terminate()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
