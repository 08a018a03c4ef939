"""Tokens a second of M2's training steps: one process of one thread, and ranks of one thread each.

    python -m benchmarks.ranks [--worlds 2 4] [--sizes 3m] [--out results/ranks.jsonl]

Needs a core a rank. In turns, each measurement of processes of its own that train as `equinfo
train-lm` does under torchrun (gloo): the same global batch, so the same work. The first quarter of
the steps does not count. all_reduce_seconds: what summing the gradients takes by itself, which the
backward pass hides in part.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import tyro

from benchmarks.common import append

RUN = """
import json, os, sys, time, warnings
from pathlib import Path
import numpy as np
import torch
import torch.distributed as dist
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern, shapes
from equinfo.lm.train import train

folder, size, vocab, steps, sharded = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
warnings.simplefilter("ignore")
config = TrainConfig(modern(size, vocab), OptimizerConfig(), 0, steps=steps)
ids = np.random.default_rng(0).integers(vocab, size=16 * 256 * 8, dtype=np.uint32)
several = int(os.environ["WORLD_SIZE"]) > 1
if several:
    dist.init_process_group("gloo")
train(config, ids, Path(folder), sharded=bool(sharded))
taken = [0.0]
if several:
    gradients = torch.zeros(sum(np.prod(shape) for _, shape in shapes(config.model)))
    for _ in range(5):
        begun = time.perf_counter()
        dist.all_reduce(gradients)
        taken.append(time.perf_counter() - begun)
    dist.barrier()
if os.environ["RANK"] == "0":
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    seconds = [json.loads(line)["seconds"] for line in lines]
    rate = (steps - 1 - steps // 4) * config.batch_size * config.context
    print(json.dumps([rate / (seconds[-1] - seconds[steps // 4]), sorted(taken)[len(taken) // 2]]))
"""


def measured(world: int, size: str, vocab: int, steps: int, sharded: bool) -> list[float]:
    """Tokens a second, and the seconds of an all-reduce of all gradients."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        free.close()
        command = [sys.executable, "-c", RUN, folder, size]
        command += [str(value) for value in (vocab, steps, int(sharded))]
        ranks = []
        for rank in range(world):
            told = {**address, "WORLD_SIZE": str(world), "RANK": str(rank), "OMP_NUM_THREADS": "1"}
            environment = {**os.environ, **told}
            ranks.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
        said = [rank.communicate()[0] for rank in ranks]
        if any(rank.returncode for rank in ranks):
            sys.exit("a rank failed")
        return json.loads(said[0])


def main(
    worlds: tuple[int, ...] = (2,),
    sizes: tuple[str, ...] = ("3m",),
    vocab: int = 4099,
    steps: int = 12,
    rounds: int = 3,
    sharded: bool = False,
    out: Path | None = None,
) -> None:
    for size in sizes:
        found: dict[int, list[list[float]]] = {world: [] for world in (1, *worlds)}
        for _ in range(rounds):
            for world, rates in found.items():
                rates.append(measured(world, size, vocab, steps, sharded))
        for world in worlds:
            pairs = zip(found[world], found[1], strict=True)
            ratio = statistics.median(many[0] / one[0] for many, one in pairs)
            row = {"size": size, "vocab": vocab, "world": world, "sharded": sharded}
            row |= {"cores": os.cpu_count(), "ratio": round(ratio, 3)}
            row["all_reduce_seconds"] = round(statistics.median(at[1] for at in found[world]), 4)
            row["tokens_per_second"] = [round(at[0]) for at in found[world]]
            row["one_tokens_per_second"] = [round(at[0]) for at in found[1]]
            append(row, out)
            print(row, flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
