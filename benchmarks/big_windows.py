"""A network's speed under windows of many bits: python benchmarks/big_windows.py [--m1 FOLDER]
[--bytes 300000]

In bytes/s, and as ratios to the model's own speed along whole contexts (the price of any coding
without windows): AC encoding; windows of each b, uncompiled, encoded and decoded, with the memo of
frequent beginnings at its full size. The share of bytes that cost no network is that of encoding,
where a window asks for some bytes beyond its end. Text: the first --bytes of a corpus's validation
split, in its documents, and a quarter of it as one document. Runs alternate; medians are printed.
What is decoded must be what was encoded.
"""

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from common.rows import alternate, append

from equinfo.compress.coder import streams
from equinfo.compress.models.base import load_model
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.compress.network.memo import MemoisedModel
from equinfo.compress.parallel import map_groups
from equinfo.compress.windows.windows import WindowCoder
from equinfo.corpora import load_corpus, take
from equinfo.errors import EquinfoError

ALL_BITS = (16, 24, 32, 64, 128)


class Counted(IntegerByteModel):
    """Counts the positions that the network runs."""

    steps = 0

    def _run(self, cache, tokens, *given):  # type: ignore[no-untyped-def]
        self.steps += len(tokens)
        super()._run(cache, tokens, *given)


def without_network(model: Counted, coder: WindowCoder, documents: list[bytes]) -> float:
    """The share of the bytes for which encoding ran no network."""
    model.steps = 0
    coder.encode(documents)
    return 1 - model.steps / sum(map(len, documents))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--m1", default="english-m1-windows", help="a byte model: its folder, or its name"
    )
    parser.add_argument("--corpus", default="imdb")
    parser.add_argument("--bytes", type=int, default=300_000)
    parser.add_argument("--memory", type=int, help="MiB of the memo; default: as equinfo has it")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="append a JSON line to this file")
    options = parser.parse_args()
    os.environ["EQUINFO_THREADS"] = str(options.threads)
    loaded = load_model(options.m1)
    if not isinstance(loaded, IntegerByteModel):
        raise EquinfoError(
            f"{options.m1} holds a model of kind {loaded.kind!r}: name one with a network"
        )
    model = Counted(loaded.config, loaded.tensors, loaded.precision)
    documents = list(take(load_corpus(options.corpus).documents("validation"), options.bytes))
    text = b"".join(documents)
    whole = np.frombuffer(
        text[: len(text) // model.max_context * model.max_context], dtype=np.uint8
    )
    contexts = whole.reshape(-1, model.max_context).astype(np.int64)
    print(
        f"{model.parameters} parameters, {len(text)} bytes of {options.corpus}, {options.threads}"
        " threads"
    )

    model.memoised = MemoisedModel(model, options.memory and options.memory << 20)
    memo, start = model.memoised.memo, time.perf_counter()
    memo.grow()
    grown = time.perf_counter() - start
    print(
        f"memo: {memo.size} strings of up to {memo.nodes.depths.max()} bytes, {memo.node_bytes}"
        f" bytes each, {memo.size * memo.node_bytes / 2**20:.0f} MiB, grown in {grown:.1f} s"
    )
    coders = {bits: WindowCoder(model, bits) for bits in ALL_BITS}
    codes = {bits: coder.encode(documents) for bits, coder in coders.items()}
    assert all(coder.decode(codes[bits]) == documents for bits, coder in coders.items())
    actions: dict[str, Callable[[], object]] = {
        "whole contexts": lambda: model.sequences(contexts),
        "AC encode": lambda: map_groups(partial(streams.encode, model), documents),
    }
    for bits, coder in coders.items():
        actions[f"b={bits} encode"] = partial(map_groups, coder.encode, documents)
        actions[f"b={bits} decode"] = partial(map_groups, coder.decode, codes[bits])
        actions[f"b={bits} encode, one document"] = partial(coder.encode, [text[: len(text) // 4]])
    seconds = alternate(options.runs, *actions.values())
    counts = [
        contexts.size if "whole" in name else len(text) // (4 if "one" in name else 1)
        for name in actions
    ]
    speeds = [count / taken for count, taken in zip(counts, seconds, strict=True)]
    for name, speed in zip(actions, speeds, strict=True):
        print(f"{name:28} {speed / 1e3:8.1f} kB/s   {speed / speeds[0]:5.2f} x whole contexts")
    shares = {}
    for bits, coder in coders.items():
        windows = sum(map(len, codes[bits]))
        shares[bits] = without_network(model, coder, documents)
        print(
            f"b={bits}: {len(text) / windows:.2f} bytes/window, {shares[bits]:.1%} of the bytes"
            " without the network"
        )
    append(
        {
            "m1": options.m1, "corpus": options.corpus, "bytes": len(text),
            "threads": options.threads,
            "runs": options.runs, "memo_strings": memo.size,
            "memo_bytes": memo.size * memo.node_bytes,
            "memo_seconds": grown, "bytes_a_second": dict(zip(actions, speeds, strict=True)),
            "share_without_network": shares,
        },
        options.out,
    )  # fmt: skip


if __name__ == "__main__":
    main()
