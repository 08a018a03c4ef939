"""`as_hf()` encoding a batch, against the tokenizer's own encode_batch, and transformers' fast BPE for scale.

    python benchmarks/hf_tokenizer.py [--rounds 9]

Documents of the bundled corpus, strings in, lists of Python ints with attention masks out (BatchEncoding), against
NumPy arrays out. The rounds alternate; medians are printed.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from transformers import PreTrainedTokenizerFast

import equinfo


def seconds(call: Callable[[list[str]], Any], texts: list[str]) -> float:
    begun = time.perf_counter()
    made = call(texts)
    taken = time.perf_counter() - begun
    del made
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    texts = [document.decode() for document in equinfo.load_corpus("bundled").documents("train")]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    bpe = equinfo.train_tokenizer("bpe", size=16384)
    names = {"english-64k": equinfo.load("english-64k"), "english-equalinfo16": equinfo.load("english-equalinfo16")}
    calls: dict[str, Callable[[list[str]], Any]] = {
        "BPE[v=16384] as PreTrainedTokenizerFast": PreTrainedTokenizerFast(tokenizer_object=bpe._library)
    }
    for name, tokenizer in {**names, bpe.name: bpe}.items():
        calls |= {f"{name}, native": tokenizer.encode_batch, f"{name}, as_hf": tokenizer.as_hf()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(options.rounds + 1):
        for name, call in calls.items():
            taken[name].append(seconds(call, texts))
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    for name, median in medians.items():
        native = medians.get(name.replace("as_hf", "native"), median)
        print(f"{name:45} {megabytes / median:8.1f} MB/s   {median / native:5.2f} x native")


if __name__ == "__main__":
    main()
