"""The window rules side by side, and what the paper's own rule (§3.3) loses: python
benchmarks/paper_rule.py

For each corpus's validation text, rule and b: bytes a window, and for each rule how many windows,
decoded by themselves, are not the bytes they were made of, and how many documents come back
different. Lossless rules count 0; they are decoded all the same. M1 is fitted on the corpus's
training text: byte contexts of up to --order bytes, or is a byte model's folder.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from equinfo.compress.models.base import ByteModel, load_model
from equinfo.compress.models.counts import CountModel
from equinfo.compress.windows.compiled import CompiledWindows
from equinfo.compress.windows.steps import RULES
from equinfo.compress.windows.windows import Failures, WindowCoder, count_failures, make_windows
from equinfo.corpora import load_corpus, take
from equinfo.errors import EquinfoError
from experiments.runs.rows import provenance


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", nargs="+", default=["imdb", "books"])
    parser.add_argument("--bits", nargs="+", type=int, default=[12, 16])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument(
        "--order", type=int, default=4, help="longest context of the counted M1, in bytes"
    )
    parser.add_argument("--m1", type=Path, help="a byte model's folder, in place of the counted M1")
    parser.add_argument("--train-bytes", type=int, default=4_000_000)
    parser.add_argument("--bytes", type=int, default=300_000, help="of validation text")
    parser.add_argument(
        "--piece", type=int, default=4096, help="documents are cut to this many bytes"
    )
    parser.add_argument("--out", type=Path, help="append one JSON line a row to this file")
    options = parser.parse_args()
    source = origin()
    for corpus in options.corpora:
        documents = validation_slice(corpus, options.bytes, options.piece)
        model, label = the_m1(options, corpus)
        for bits in options.bits:
            for rule in options.rules:
                row = measure(model, documents, bits, rule)
                if row is None:
                    continue
                row = {
                    "corpus": corpus,
                    "split": "validation",
                    "m1": label,
                    "piece": options.piece,
                    **row,
                    **source,
                }
                print(summary(row), flush=True)
                if options.out:
                    with options.out.open("a") as file:
                        file.write(json.dumps(row) + "\n")


def validation_slice(corpus: str, num_bytes: int, piece: int) -> list[bytes]:
    """Documents of at most `piece` bytes, of `num_bytes` in all."""
    documents: list[bytes] = []
    held = 0
    for text in load_corpus(corpus).documents("validation"):
        for at in range(0, len(text), piece):
            if held >= num_bytes:
                return documents
            documents.append(text[at : at + piece])
            held += len(documents[-1])
    return documents


def the_m1(options: argparse.Namespace, corpus: str) -> tuple[ByteModel, str]:
    if options.m1:
        return load_model(options.m1), options.m1.name
    text = take(load_corpus(corpus).documents("train"), options.train_bytes)
    return CountModel.train(
        text, order=options.order
    ), f"counts, order {options.order}, {options.train_bytes} bytes"


def measure(
    model: ByteModel, documents: list[bytes], bits: int, rule: str
) -> dict[str, object] | None:
    """One row, or None where the rule cannot be used."""
    try:
        coder = make_windows(model, bits, None, rule)
    except EquinfoError as error:
        print(f"b={bits} {rule}: {error}", file=sys.stderr)
        return None
    failures = (
        count_failures(coder, documents)
        if isinstance(coder, WindowCoder)
        else ranked_failures(coder, documents)
    )
    num_bytes = sum(map(len, documents))
    return {"rule": rule, "bits": bits, **failures._asdict(), "bytes": num_bytes,
            "ratio": num_bytes / failures.windows}  # fmt: skip


def ranked_failures(coder: CompiledWindows, documents: list[bytes]) -> Failures:
    """As count_failures; all of a document is wrong where it does not come back."""
    codes = coder.encode(documents)
    wrong = sum(a != b for a, b in zip(coder.decode(codes), documents, strict=True))
    return Failures(sum(map(len, codes)), wrong, len(documents), wrong)


def origin() -> dict[str, Any]:
    """Commit, device and versions as in every result row."""
    return {**provenance(), "command": " ".join(["python benchmarks/paper_rule.py", *sys.argv[1:]])}


def summary(row: dict[str, object]) -> str:
    return (
        f"{row['corpus']:6} b={row['bits']:<3} {row['rule']:8} {row['ratio']:6.3f} bytes/window,"
        f" wrong: {row['wrong_windows']} of {row['windows']} windows, {row['wrong_documents']} of"
        f" {row['documents']} documents"
    )


if __name__ == "__main__":
    main()
