"""Generating 512 ids with cached keys and values, against recomputing the whole sequence for each.

    python -m benchmarks.generate [--size 3m] [--batch 8]

Both draw greedily from the same random decoder and must draw the same ids. The rounds alternate;
medians are printed. Recomputation is timed on every 16th step (its cost grows smoothly with the
length) and summed over all.
"""

import statistics
import time
from itertools import islice

import numpy as np
import torch
import tyro

from equinfo.lm.config import modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.sample import Sampling, sample

IDS = 512
EVERY = 16


def cached(model: Decoder, batch: int) -> tuple[float, np.ndarray]:
    prompts = [np.array([row], dtype=np.int64) for row in range(batch)]
    run = sample(model, prompts, bos_id=256, context=IDS + 2, sampling=Sampling(temperature=0))
    begun = time.perf_counter()
    ids = np.stack(list(islice(run, IDS)), axis=1)
    return time.perf_counter() - begun, ids


@torch.no_grad()
def recomputed(model: Decoder, batch: int, ids: np.ndarray) -> tuple[float, float]:
    """Seconds for all ids, and for the last one alone."""
    whole = np.concatenate([np.full((batch, 1), 256), np.arange(batch)[:, None], ids], axis=1)
    seconds = last = 0.0
    for step in range(0, IDS, EVERY):
        inputs = torch.from_numpy(whole[:, : step + 2])
        begun = time.perf_counter()
        drawn = (model(inputs)[:, -1] @ model.head_weight.T).argmax(-1)
        last = time.perf_counter() - begun
        seconds += EVERY * last
        assert (drawn.numpy() == ids[:, step]).mean() > 0.9  # a tie may fall otherwise
    return seconds, last


def main(size: str = "3m", batch: tuple[int, ...] = (1, 8), rounds: int = 5) -> None:
    model = Decoder(modern(size, 259)).initialise(0).eval()
    for rows in batch:
        taken = []
        for _ in range(rounds):
            fast, ids = cached(model, rows)
            taken.append((fast, *recomputed(model, rows, ids)))
        fast, slow, _ = (statistics.median(column) for column in zip(*taken, strict=True))
        ratio = statistics.median(all_ids / a for a, all_ids, _ in taken)
        at_end = statistics.median(IDS * last / a for a, _, last in taken)
        print(
            f"{size}, batch {rows}: cached {rows * IDS / fast:,.0f} ids/s, recomputed"
            f" {rows * IDS / slow:,.0f} ids/s; ratio {ratio:.1f} over {IDS} ids, {at_end:.1f} for"
            f" the last ({torch.get_num_threads()} threads)"
        )


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
