"""Tokens a second of M2's training steps: this tree against another commit's, in turn, beside busy
processes.

    git worktree add runs/base 17dedb0
    python benchmarks/train_speed.py --against runs/base [--busy 0 1 5] [--sizes 0.4m 3m]

Each measurement is a process of its own that trains as `equinfo train-lm` does (lm.train: batches,
loss, backward, clipping, AdamW, metrics), and whose first steps do not count. Rows go to
results/train_speed.jsonl.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, required=True)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 5])
    parser.add_argument("--sizes", nargs="+", default=["0.4m", "3m"])
    parser.add_argument("--vocab", type=int, default=4099)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "train_speed.jsonl")
    options = parser.parse_args()
    from experiments.runs.rows import provenance

    origin = provenance()
    head = ["git", "-C", str(options.against), "rev-parse", "--short=12", "HEAD"]
    base = subprocess.run(head, capture_output=True, text=True)
    for busy in options.busy:
        spinning = [multiprocessing.Process(target=spin, daemon=True) for _ in range(busy)]
        for process in spinning:
            process.start()
        for size in options.sizes:
            found: dict[str, list[float]] = {"ours": [], "theirs": []}
            for _ in range(options.rounds):
                for name, tree in (("ours", ROOT), ("theirs", options.against)):
                    speed = tokens_a_second(
                        tree, size, options.vocab, options.steps, options.precision
                    )
                    found[name].append(speed)
            ratio = statistics.median(a / b for a, b in zip(*found.values(), strict=True))
            row = {
                "size": size, "vocab": options.vocab, "precision": options.precision, "busy": busy,
                "against": base.stdout.strip(), "ratio": round(ratio, 3),
                **{f"{name}_tokens_per_second": list(map(round, at)) for name, at in found.items()},
                **origin,
            }  # fmt: skip
            with options.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{size}, {busy} busy processes: {ratio:.2f}x  {found}", flush=True)
        for process in spinning:
            process.terminate()


if __name__ == "__main__":
    main()
