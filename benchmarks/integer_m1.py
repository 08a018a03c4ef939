"""The integer M1's speed and price: python -m benchmarks.integer_m1 [--size 3m] [--lm FOLDER]
[--threads 1]

Speed: symbols/s to frequencies of the next symbol, for whole contexts at once (Numba, torch's
integers, torch float32 and bfloat16 up to the softmax), and in steps of 64 lanes as the decoder
takes them. Runs alternate; medians are printed, and ratios of medians to float32. The integer ones
must agree to the bit. Price, with --lm: bits/byte of a trained M1 (a folder of train-m1, or one of
its checkpoints) on the first --bytes of a corpus's validation text, in contexts as trained; as
float32 probabilities, as these cut to integer frequencies, and as the integer M1's frequencies. It
is frozen on training text.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import alternate, append
from benchmarks.integer_torch import IntegerDecoder
from equinfo import api
from equinfo.artifacts import load_artifact
from equinfo.compress.models.base import EOD, SYMBOLS
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.corpora import load_corpus, take
from equinfo.lm.bridge import CALIBRATION_IDS, to_byte_model
from equinfo.lm.config import TrainConfig, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.sequences import shifted

BATCH = 32  # contexts


@torch.no_grad()
def probabilities(model: Decoder, symbols: np.ndarray, low: bool = False) -> torch.Tensor:
    """f32[n, T, 257]; low: with products in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        return model.logits(torch.from_numpy(shifted(symbols, EOD))).softmax(-1)


def in_steps(model: IntegerByteModel, symbols: np.ndarray) -> np.ndarray:
    """The last row of each lane, after all but its last symbol."""
    state, restart = model.start(len(symbols)), np.zeros(len(symbols), dtype=np.bool_)
    for fed in np.ascontiguousarray(symbols[:, :-1].T):
        model.advance(state, fed, restart)
        model.frequencies(state)
    return state.rows


def compare_speed(
    model: Decoder, frozen: IntegerByteModel, lanes: int, runs: int
) -> dict[str, float]:
    """Symbols/s of each way."""
    symbols = np.random.default_rng(0).integers(97, 123, (BATCH, frozen.max_context))
    stepped = np.random.default_rng(1).integers(97, 123, (lanes, frozen.max_context))
    by_torch = IntegerDecoder(frozen)
    assert (by_torch.frequencies(symbols[:4]).numpy() == frozen.sequences(symbols[:4])).all()
    assert (in_steps(frozen, stepped) == frozen.sequences(stepped)[:, -1]).all()
    ways = {
        "torch float32": lambda: probabilities(model, symbols),
        "torch bfloat16": lambda: probabilities(model, symbols, low=True),
        "torch integer": lambda: by_torch.frequencies(symbols),
        "Numba integer": lambda: frozen.sequences(symbols),
        f"Numba integer, {lanes} lanes": lambda: in_steps(frozen, stepped),
    }
    seconds = alternate(runs, *ways.values())
    counts = [symbols.size] * 4 + [stepped.size]
    speeds = [count / taken for count, taken in zip(counts, seconds, strict=True)]
    for name, speed in zip(ways, speeds, strict=True):
        print(f"{name:24} {speed / 1e3:8.1f} kB/s   {speed / speeds[0]:5.2f} x float32")
    return dict(zip(ways, speeds, strict=True))


def trained(folder: Path) -> tuple[Decoder, int]:
    """The decoder of a training's weights or of a checkpoint, and its context."""
    artifact = load_artifact(folder / "weights" if (folder / "weights").is_dir() else folder)
    config = TrainConfig.from_dict(artifact.config["config"])
    prefix = "model." if artifact.kind == "checkpoint" else ""
    names = [name for name in artifact.tensors if name.startswith(prefix)]
    weights = {n.removeprefix(prefix): torch.from_numpy(artifact.tensors[n]) for n in names}
    model = Decoder(config.model)
    model.load_state_dict(weights)
    return model.eval(), config.context


def stream(corpus: str, split: str, num_bytes: int) -> np.ndarray:
    return api.byte_stream(take(load_corpus(corpus).documents(split), num_bytes))


def as_frequencies(p: np.ndarray, precision: int) -> np.ndarray:
    """Probabilities, cut to integers as models.normalise does: f64[n, T, 257], shares again."""
    rows = 1 + np.floor(p.astype(np.float64) * ((1 << precision) - SYMBOLS))
    best = rows.argmax(-1)[..., None]
    rest = (1 << precision) - rows.sum(-1, keepdims=True)
    np.put_along_axis(rows, best, np.take_along_axis(rows, best, -1) + rest, -1)
    return rows / (1 << precision)


def compare_bits(model: Decoder, frozen: IntegerByteModel, ids: np.ndarray) -> dict[str, Any]:
    """Bits/symbol of each."""
    whole = len(ids) // frozen.max_context * frozen.max_context
    targets = ids[:whole].reshape(-1, frozen.max_context).astype(np.int64)
    sums = np.zeros(3)
    for part in np.split(targets, range(BATCH, len(targets), BATCH)):
        p = probabilities(model, part).numpy()
        integer = frozen.sequences(part) / (1 << frozen.precision)
        for i, shares in enumerate((p, as_frequencies(p, frozen.precision), integer)):
            sums[i] -= np.log2(np.take_along_axis(shares, part[..., None], -1)).sum()
    exact, cut, integer = sums / targets.size
    print(f"{targets.size} symbols, contexts of {frozen.max_context}: bits/symbol")
    cost, whole, rest = cut / exact - 1, integer / exact - 1, integer / cut - 1
    print(
        f"float32 {exact:.4f}; as frequencies of {frozen.precision} bits {cut:.4f} ({cost:+.2%});"
    )
    print(f"integer {integer:.4f} ({whole:+.2%} of float32, {rest:+.2%} of its frequencies)")
    found = {"float32": exact, "float32 as frequencies": cut, "integer": integer}
    return {"symbols": targets.size, **found}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="3m")
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lm", type=Path)
    parser.add_argument("--corpus", default="imdb")
    parser.add_argument("--bytes", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="append a JSON line to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    os.environ["EQUINFO_THREADS"] = str(options.threads)
    if options.lm:
        model, context = trained(options.lm)
    else:
        model = Decoder(modern(options.size, SYMBOLS)).initialise(0).eval()
        context = options.context
    corpus = options.corpus if options.lm else "bundled"
    frozen = to_byte_model(model, context, stream(corpus, "train", CALIBRATION_IDS))
    print(f"{frozen.parameters} parameters, contexts of {context}, {options.threads} threads")
    row: dict[str, Any] = {"parameters": frozen.parameters, "context": context}
    row["threads"] = options.threads
    row["symbols_a_second"] = compare_speed(model, frozen, options.lanes, options.runs)
    if options.lm:
        row["corpus"] = options.corpus
        text = stream(options.corpus, "validation", options.bytes)
        row["bits_a_symbol"] = compare_bits(model, frozen, text)
    append(row, options.out)


if __name__ == "__main__":
    main()
