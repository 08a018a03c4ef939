"""How far a stream's bits are from random ones (figs 11, 16, 17)."""

from typing import Any

import numpy as np

from equinfo.shards import Shards
from equinfo.tokenizers.base import Tokenizer
from experiments.analysis.statistics import kl_uniform, ngram_counts, token_counts
from experiments.runs.recipes import Measure
from experiments.runs.runner import Runner

KINDS = ("ngrams", "tokens")
LONGEST = 16
REPEATS = 100
TINY = 1e-12  # bits: of a deviation, where there are no bits
PARTS = {"whole": (0, 0), "inner": (2, 2)}
"""How many ids a block leaves out at its beginning, where M1 knows least, and its padded end."""


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "uniformity"; number: bits of the training stream, the first ones.

    Lists are over n = 1 .. 16: the plug-in KL divergence, in bits, from uniform of n-grams (at
    every bit) and tokens (cut every n bits). whole, inner: of the ids that PARTS leaves; random: a
    generator's (PCG64, seeded) [5 %, median, 95 %] over 100 repeats of as many bits as `whole` has,
    for each n; "deviation": of the repeats; "most": 95 % of them stay within so many deviations
    above the median at every n, of n-grams and of tokens.
    """
    shards = runner.stream(recipe.stream, "train")
    width = tokenizer.code_size.bit_length() - 1
    values: dict[str, Any] = {}
    for part, (first, last) in PARTS.items():
        bits = stream_bits(runner, shards, width, first, last, recipe.number)
        values[part] = {"bits": len(bits), **divergences(bits)}
    return {**values, "random": random_bands(runner, values["whole"]["bits"], recipe.seed)}


def stream_bits(
    runner: Runner, shards: Shards, width: int, first: int, last: int, most: int
) -> np.ndarray:
    """The first `most` bits of the blocks' ids but their ends: uint8[bits] of 0 and 1."""
    parts = [np.empty(0, dtype=np.uint8)]
    held = 0
    for ids, _ in shards.documents():
        runner.check_time()
        parts.append(id_bits(ids[first : max(len(ids) - last, 0)], width))
        held += len(parts[-1])
        if held >= most:
            break
    return np.concatenate(parts)[:most]


def id_bits(ids: np.ndarray, width: int) -> np.ndarray:
    """The bits of ids of `width` bits, first bit highest: uint8[len(ids) * width]."""
    shifts = np.arange(width - 1, -1, -1, dtype=np.uint32)
    return (ids.astype(np.uint32)[:, None] >> shifts & 1).astype(np.uint8).ravel()


def divergences(bits: np.ndarray) -> dict[str, list[float]]:
    """{"ngrams", "tokens"}: plug-in divergence from uniform for n = 1 .. LONGEST, six digits."""
    counted = {
        "ngrams": all_ngram_counts(bits),
        "tokens": [token_counts(bits, n) for n in range(1, LONGEST + 1)],
    }
    return {
        kind: [rounded(kl_uniform(counts, len(counts))[0]) for counts in sizes]
        for kind, sizes in counted.items()
    }


def all_ngram_counts(bits: np.ndarray) -> list[np.ndarray]:
    """`ngram_counts` for n = 1 .. LONGEST, shorter runs counted as beginnings of longer ones."""
    found = [ngram_counts(bits, LONGEST)]
    for n in range(LONGEST - 1, 0, -1):
        counts = found[-1].reshape(-1, 2).sum(1)
        found.append(
            counts + ngram_counts(bits[max(len(bits) - n, 0) :], n)
        )  # no longer run begins at the last
    return found[::-1]


def random_bands(runner: Runner, size: int, seed: int) -> dict[str, Any]:
    """`random` of `measure`: what `divergences` gives of `size` random bits, over REPEATS."""
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(REPEATS):
        runner.check_time()
        noise = np.frombuffer(generator.bytes(-(-size // 8)), dtype=np.uint8)
        drawn.append(divergences(np.unpackbits(noise)[:size]))
    found: dict[str, Any] = {"deviation": {}}
    excesses = []
    for kind in KINDS:
        values = np.array([one[kind] for one in drawn])  # [REPEATS, LONGEST]
        bands = np.percentile(values, (5, 50, 95), axis=0)
        deviation = values.std(0, ddof=1)
        found[kind] = [[rounded(value) for value in column] for column in bands.T]
        found["deviation"][kind] = [rounded(value) for value in deviation]
        excesses.append((values - bands[1]) / np.maximum(deviation, TINY))
    found["most"] = rounded(np.percentile(np.concatenate(excesses, axis=1).max(1), 95))
    return found


def rounded(value: float) -> float:
    return float(f"{value:.6g}")
