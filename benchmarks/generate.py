"""Generating 512 ids with cached keys and values, against recomputing the whole sequence for each.

    python benchmarks/generate.py [--size 3m] [--batch 8]

Both draw greedily from the same random decoder and must draw the same ids. The rounds alternate;
medians are printed. Recomputation is timed on every 16th step (its cost grows smoothly with the
length) and summed over all.
"""

import argparse
import statistics
import time
from itertools import islice

import numpy as np
import torch

from equinfo.lm.config import modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.sample import Sampling, sample

IDS, EVERY = 512, 16


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="3m")
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    model = Decoder(modern(options.size, 259)).initialise(0).eval()
    for batch in options.batch:
        rounds = []
        for _ in range(options.rounds):
            fast, ids = cached(model, batch)
            rounds.append((fast, *recomputed(model, batch, ids)))
        fast, slow, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(all_ids / a for a, all_ids, _ in rounds)
        at_end = statistics.median(IDS * last / a for a, _, last in rounds)
        print(
            f"{options.size}, batch {batch}: cached {batch * IDS / fast:,.0f} ids/s, recomputed"
            f" {batch * IDS / slow:,.0f} ids/s; ratio {ratio:.1f} over {IDS} ids, {at_end:.1f} for"
            f" the last ({torch.get_num_threads()} threads)"
        )


if __name__ == "__main__":
    main()
