"""Seconds of a training step with every other block on a share of the positions, against dense.

    python -m benchmarks.depths [--sizes 3m 10m 25m] [--out results/depths_speed.jsonl]

Both take the same steps (forward, loss, backward, clipping, AdamW) on the same ids, in alternating
rounds; the medians are kept, their ratio, and that of the FLOPs of a forward pass.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro

from benchmarks.common import alternate, append
from benchmarks.train_step import ours
from equinfo.lm.config import modern
from equinfo.lm.flops import flops_per_token_exact


def main(
    sizes: tuple[str, ...] = ("3m", "10m", "25m"),
    capacities: tuple[float, ...] = (0.125, 0.5),
    vocab: int = 259,
    batch: int = 16,
    context: int = 256,
    rounds: int = 8,
    threads: int = 1,
    out: Path | None = None,
) -> None:
    torch.set_num_threads(threads)
    ids = np.random.default_rng(0).integers(0, vocab, (batch, context + 1))
    for size in sizes:
        dense = modern(size, vocab)
        shapes = [dense, *(replace(dense, depth_capacity=share) for share in capacities)]
        steps = [ours(shape, torch.from_numpy(ids)) for shape in shapes]
        seconds = alternate(rounds, *steps)
        for shape, taken in zip(shapes[1:], seconds[1:], strict=True):
            flops = flops_per_token_exact(shape, context) / flops_per_token_exact(dense, context)
            row = {"size": size, "depth_capacity": shape.depth_capacity, "vocab": vocab}
            row |= {"batch": batch, "context": context, "threads": threads}
            row |= {"dense_seconds": seconds[0], "seconds": taken, "ratio": taken / seconds[0]}
            append({**row, "flops_ratio": flops}, out)
            print(f"{size}, {shape.depth_capacity:.3g}: {taken / seconds[0]:.3f} of the dense step")
            print(f"    (FLOPs {flops:.3f}; {taken:.3f} against {seconds[0]:.3f} s)")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
