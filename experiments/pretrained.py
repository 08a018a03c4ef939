"""The ready-made artefacts of equinfo/pretrained, from their training text: python -m
experiments.pretrained [NAME...]

All are trained on the training text of imdb and books, and measured on the validation text of both
and on two texts of other kinds: nothing here is fitted to any of them. Each gets a folder, a card
beside it, and a row a text in results/pretrained.jsonl. BPE beside them is trained on the same text
to 65,536 ids; one of fewer ids is its first merges, as training stops there. What is there is
measured and not made again; trainings resume.

Bits/byte of a tokenizer are its unigram bits: what its ids cost, each by itself, at the frequencies
that they have in the first 16 MiB of each corpus of the training text, one added to each count.
"""

import hashlib
import json
import platform
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import equinfo
from equinfo import api
from equinfo.compress.models.base import fingerprint, load_model, to_artifact
from equinfo.corpora import SPLITS, load_corpus, take
from equinfo.files import atomic_file
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.bpe import BPETokenizer
from experiments.runs.rows import provenance

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(equinfo.__file__).parent / "pretrained"
WORK = ROOT / "runs"
RESULTS = ROOT / "results" / "pretrained.jsonl"
CORPORA = ("imdb", "books")
TRAINING = "+".join(CORPORA)
COUNTED = 1 << 24  # bytes of each corpus
TEXTS = {
    "imdb": "validation text",
    "books": "validation text",
    "bundled": "the King James text, all of it",
    "python": f"the modules of CPython {platform.python_version()}'s standard library that are"
    " single files",
}
PEER_SIZE = 1 << 16
SOURCES = """\
- imdb: film reviews, the Large Movie Review Dataset (Maas et al. 2011)
- books: public-domain English books"""


@dataclass(frozen=True)
class ReadyMade:
    """what: for the card. make: saves the artefact at a path. codes: of its ids, for its rivals."""

    what: str
    make: Callable[[Path], Any]
    codes: int = 0


def codebook(size: int) -> ReadyMade:
    return ReadyMade(
        f"{size:,} strings, fitted to all of the training text; superword, longest match",
        lambda path: api.train_tokenizer("codebook", path, TRAINING, size=size),
        size,
    )


def m1(folder: str, short_contexts: tuple[int, ...]) -> ReadyMade:
    """The 3m byte LM; half of its sequences cut to the short contexts, where there are some."""

    def make(path: Path) -> None:
        model = api.train_m1(
            WORK / "m1-3m" / folder, TRAINING, size="3m", steps=6000, batch_size=32, context=256,
            learning_rate=2e-3, warmup_steps=200, short_contexts=short_contexts,
            precision="bfloat16", progress=path.name,
        )  # fmt: skip
        to_artifact(model).save(path)

    mixed = ""
    if short_contexts:
        mixed = f", half of them cut to {' and '.join(map(str, short_contexts))} bytes"
    what = (
        f"a byte LM of 3.15 M parameters, 6,000 steps of 32 sequences of 256 bytes{mixed};"
        " frozen to integers"
    )
    return ReadyMade(what, make)


EQUALINFO = ReadyMade(
    "EqualInfoAC[b=16,v=65k] over english-m1-windows, rule free, compiled: no model runs",
    lambda path: api.train_tokenizer(
        "equalinfo", path, size=PEER_SIZE, bits=16, m1=FOLDER / "english-m1-windows"
    ),
    PEER_SIZE,
)

READY_MADE = {
    "english-16k": codebook(1 << 14),
    "english-32k": codebook(1 << 15),
    "english-64k": codebook(1 << 16),
    "english-m1": m1("long", ()),
    "english-m1-windows": m1("short", (32, 8)),
    "english-equalinfo16": EQUALINFO,
}


@cache
def documents(text: str) -> list[bytes]:
    """What is measured: of TEXTS."""
    if text in CORPORA:
        return list(load_corpus(text).documents("validation"))
    if text == "bundled":
        return [one for split in SPLITS for one in load_corpus(text).documents(split)]
    modules = Path(sysconfig.get_paths()["stdlib"]).glob("*.py")
    return [path.read_bytes() for path in sorted(modules)]


@cache
def bpe(size: int) -> Tokenizer:
    model = json.loads(peer("bpe").read_text())
    vocabulary = model["model"]["vocab"]
    merges = model["model"]["merges"]
    model["model"]["vocab"] = {piece: code for piece, code in vocabulary.items() if code < size}
    model["model"]["merges"] = merges[: size - 256]
    return BPETokenizer(json.dumps(model).encode())


def peer(kind: str) -> Path:
    """The library's own file of a BPE or Unigram of 65,536 ids, trained on the same text."""
    file = WORK / "bench" / {"bpe": "bpe/tokenizer.json", "unigram": "unigram/unigram.model"}[kind]
    if not file.exists():
        made: Any = api.train_tokenizer(kind, None, TRAINING, size=PEER_SIZE)
        with atomic_file(file) as beside:
            beside.write_bytes(made.model)
    return file


@cache
def costs(tokenizer: Tokenizer) -> np.ndarray:
    """Bits of each code at its frequency in the training text, add-one smoothed: float64[codes]."""
    counts = np.ones(tokenizer.code_size)
    for corpus in CORPORA:
        training = take(load_corpus(corpus).documents("train"), COUNTED)
        ids = np.concatenate(tokenizer.encode_batch(training))
        counts += np.bincount(ids, minlength=len(counts))
    return -np.log2(counts / counts.sum())


def spent(tokenizer: Tokenizer, text: str, before: str = "") -> dict[str, float]:
    """Ids and unigram bits of a text."""
    ids = np.concatenate(tokenizer.encode_batch(documents(text)))
    return {f"{before}tokens": len(ids), f"{before}bits": round(float(costs(tokenizer)[ids].sum()))}


def measured(name: str, codes: int, origin: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a text: of the artefact, and of BPE of as many ids. M1s: validation text only."""
    rows = []
    for text in TEXTS if codes else CORPORA:
        whole = documents(text)
        digest = hashlib.sha256(b"".join(whole)).hexdigest()
        row: dict[str, Any] = {"name": name, "corpus": text, "what": TEXTS[text], "sha256": digest}
        row["bytes"] = sum(map(len, whole))
        if codes:
            tokenizer = api.load(FOLDER / name)
            row |= {"fingerprint": tokenizer.fingerprint, "codes": codes, **spent(tokenizer, text)}
            row |= spent(bpe(codes), text, "bpe_")
        else:
            row |= m1_sums(name, text)
        rows.append({**row, **origin})
    return rows


def m1_sums(name: str, corpus: str) -> dict[str, Any]:
    """Bytes of validation text in an arithmetic-coded stream, a document each, by the M1."""
    model = load_model(FOLDER / name)
    coded = ArithmeticTokenizer(model, 8).encode_batch(documents(corpus))
    return {"fingerprint": fingerprint(model), "coded_bytes": sum(map(len, coded))}


def card(name: str, rows: list[dict[str, Any]]) -> str:
    what = READY_MADE[name].what
    first = rows[0]
    lines = [f"# {name}", "", f"{what[0].upper()}{what[1:]}.", ""]
    lines += ["Trained on the training text of:", SOURCES, ""]
    if "tokens" in first:
        units = ("bytes/token", "bits/byte")
        rivals = [f"BPE of {first['codes']:,} ids: {unit}" for unit in units]
        lines += [f"| text | {' | '.join([*units, *rivals])} |", "|---" * 5 + "|"]
        for row in rows:
            cells = [row["corpus"]]
            for one in ("", "bpe_"):
                cells.append(f"{row['bytes'] / row[f'{one}tokens']:.3f}")
                cells.append(f"{row[f'{one}bits'] / row['bytes']:.3f}")
            lines.append(f"| {' | '.join(cells)} |")
        texts = [f"- {row['corpus']}: {row['what']}, {row['bytes']:,} bytes" for row in rows]
        told = "BPE: trained on the same text. Bits/byte: unigram (experiments/pretrained.py)."
        lines += ["", *texts, "", told]
    else:
        lines += ["| validation text | bits/byte, as an AC stream |", "|---|---|"]
        for row in rows:
            lines.append(f"| {row['corpus']} | {8 * row['coded_bytes'] / row['bytes']:.4f} |")
    command = f"python -m experiments.pretrained {name}"
    origin = f"at commit {first['commit']}; rows in results/pretrained.jsonl"
    lines += ["", f"SHA-256 of the content: `{first['fingerprint']}`  ", "Licence: Apache-2.0  "]
    return "\n".join([*lines, f"Measured by `{command}` {origin}", ""])


def main(names: list[str]) -> None:
    origin = provenance()  # before the first file is written
    for name in names or READY_MADE:
        path = FOLDER / name
        ready_made = READY_MADE[name]
        if not path.exists():
            ready_made.make(path)
        rows = measured(name, ready_made.codes, origin)
        lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
        kept = [line for line in lines if json.loads(line)["name"] != name]
        with atomic_file(RESULTS) as beside:
            beside.write_text("\n".join([*kept, *map(json.dumps, rows)]) + "\n")
        with atomic_file(path.with_suffix(".md")) as beside:
            beside.write_text(card(name, rows))
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
