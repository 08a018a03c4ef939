"""A network's speed under windows of many bits: python -m benchmarks.big_windows [--bytes 300000]

In bytes/s, and as ratios to the model's own speed along whole contexts (the price of any coding
without windows): AC encoding; windows of each b, uncompiled, encoded and decoded, with the memo of
frequent beginnings at its full size. The share of bytes that cost no network is that of encoding,
where a window asks for some bytes beyond its end. Text: the first --bytes of a corpus's validation
split, in its documents, and a quarter of it as one document. Runs alternate; medians are printed.
What is decoded must be what was encoded.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tyro

from benchmarks.common import alternate, append
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


def main(
    m1: str = "english-m1-windows",
    corpus: str = "imdb",
    bytes: int = 300_000,
    memory: int | None = None,
    threads: int = 1,
    runs: int = 3,
    out: Path | None = None,
) -> None:
    """m1: a byte model with a network. memory: MiB of the memo. out: append a JSON line to it."""
    os.environ["EQUINFO_THREADS"] = str(threads)
    loaded = load_model(m1)
    if not isinstance(loaded, IntegerByteModel):
        raise EquinfoError(f"{m1} holds a model of kind {loaded.kind!r}: name one with a network")
    model = Counted(loaded.config, loaded.tensors, loaded.precision)
    documents = take(load_corpus(corpus).documents("validation"), bytes)
    text = b"".join(documents)
    context = model.max_context
    whole = np.frombuffer(text[: len(text) // context * context], dtype=np.uint8)
    contexts = whole.reshape(-1, context).astype(np.int64)
    print(f"{model.parameters} parameters, {len(text)} bytes of {corpus}, {threads} threads")

    model.memoised = MemoisedModel(model, memory and memory << 20)
    memo = model.memoised.memo
    start = time.perf_counter()
    memo.grow()
    grown = time.perf_counter() - start
    held = memo.size * memo.node_bytes
    print(
        f"memo: {memo.size} strings of up to {memo.nodes.depths.max()} bytes, {memo.node_bytes}"
        f" bytes each, {held / 2**20:.0f} MiB, grown in {grown:.1f} s"
    )
    coders = {bits: WindowCoder(model, bits) for bits in ALL_BITS}
    codes = {bits: coder.encode(documents) for bits, coder in coders.items()}
    assert all(coder.decode(codes[bits]) == documents for bits, coder in coders.items())
    part = text[: len(text) // 4]
    actions: dict[str, tuple[int, Callable[[], object]]] = {
        "whole contexts": (contexts.size, lambda: model.sequences(contexts)),
        "AC encode": (len(text), lambda: map_groups(partial(streams.encode, model), documents)),
    }
    for bits, coder in coders.items():
        actions |= {
            f"b={bits} encode": (len(text), partial(map_groups, coder.encode, documents)),
            f"b={bits} decode": (len(text), partial(map_groups, coder.decode, codes[bits])),
            f"b={bits} encode, one document": (len(part), partial(coder.encode, [part])),
        }
    seconds = alternate(runs, *(action for _, action in actions.values()))
    counted = zip(actions.items(), seconds, strict=True)
    speeds = {name: count / taken for (name, (count, _)), taken in counted}
    for name, speed in speeds.items():
        ratio = speed / speeds["whole contexts"]
        print(f"{name:28} {speed / 1e3:8.1f} kB/s   {ratio:5.2f} x whole contexts")
    shares = {}
    for bits, coder in coders.items():
        model.steps = 0
        coder.encode(documents)
        shares[bits] = 1 - model.steps / len(text)
        print(
            f"b={bits}: {len(text) / sum(map(len, codes[bits])):.2f} bytes/window,"
            f" {shares[bits]:.1%} of the bytes without the network"
        )
    row = {"m1": m1, "corpus": corpus, "bytes": len(text), "threads": threads, "runs": runs}
    row |= {"memo_strings": memo.size, "memo_bytes": held, "memo_seconds": grown}
    append({**row, "bytes_a_second": speeds, "share_without_network": shares}, out)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
