"""The ready-made artefacts of equinfo/pretrained, from their training text: python -m
experiments.pretrained [NAME...]

`english-*` are trained on the training text of imdb and books, `text-*` on that of the bundled
corpus and of CPython's standard library as well. Each is measured on held-out text of all four, and
on C, of which none has seen any. Each gets a folder, a card beside it, and a row a text in
results/pretrained.jsonl. Its rivals, BPE and Unigram, are trained on the same text to as many ids
(BPE of fewer ids is its first merges, as training stops there). What is there is measured and not
made again; trainings resume.

unigram bits: what ids cost, each by itself, at the frequencies that they have in the first 16 MiB
of each corpus of the training text, one added to each count. M2 bits: of an M2 of 0.4m that saw the
first 4 MiB of each corpus once; all ids are in its softmax.
"""

import hashlib
import json
import math
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
from equinfo.corpora import held_out, load_corpus, take
from equinfo.files import atomic_file
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.bpe import BPETokenizer
from equinfo.tokenizers.unigram import UnigramTokenizer
from experiments.runs.rows import provenance

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(equinfo.__file__).parent / "pretrained"
WORK = ROOT / "runs"
RESULTS = ROOT / "results" / "pretrained.jsonl"
PROSE = ("imdb", "books")
BROAD = (*PROSE, "bundled", "python")
COUNTED = 1 << 24  # bytes of each corpus
SEEN = 1 << 22  # by M2, of each corpus
PYTHON = f"CPython {platform.python_version()}'s"
TEXTS = {
    "imdb": "film reviews, the Large Movie Review Dataset (Maas et al. 2011)",
    "books": "public-domain English books",
    "bundled": "the King James text, a chapter a document",
    "python": f"{PYTHON} standard library, tests left out, a module a document",
    "c": f"{PYTHON} C headers",
}
NOT_TAKEN = {"site-packages", "dist-packages", "test", "tests", "idle_test"}
PEER_SIZE = 1 << 16
RIVALS = ("bpe", "unigram")
M2: dict[str, Any] = {
    "size": "0.4m", "batch_size": 16, "context": 256, "learning_rate": 4e-3, "warmup_steps": 100,
    "precision": "bfloat16",
}  # fmt: skip


@dataclass(frozen=True)
class ReadyMade:
    """what: for the card. make: saves the artefact at a path. text: it is trained on. codes: of its
    ids, for its rivals; 0 for an M1."""

    what: str
    make: Callable[[Path], Any]
    text: tuple[str, ...] = PROSE
    codes: int = 0


def codebook(size: int, text: tuple[str, ...], **options: Any) -> ReadyMade:
    mode = options.get("mode", "superword")
    return ReadyMade(
        f"{size:,} strings, fitted to all of the training text; {mode}, longest match",
        lambda path: api.train_tokenizer("codebook", path, training(text), size=size, **options),
        text,
        size,
    )


def m1(folder: str, short_contexts: tuple[int, ...]) -> ReadyMade:
    """The 3m byte LM; half of its sequences cut to the short contexts, where there are some."""

    def make(path: Path) -> None:
        model = api.train_m1(
            WORK / "m1-3m" / folder, training(PROSE), size="3m", steps=6000, batch_size=32,
            context=256, learning_rate=2e-3, warmup_steps=200, short_contexts=short_contexts,
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
    codes=PEER_SIZE,
)

READY_MADE = {
    "english-16k": codebook(1 << 14, PROSE),
    "english-32k": codebook(1 << 15, PROSE),
    "english-64k": codebook(1 << 16, PROSE),
    "text-16k": codebook((1 << 14) - 3, BROAD),
    "text-32k": codebook((1 << 15) - 3, BROAD),
    "text-64k": codebook((1 << 16) - 3, BROAD),
    "english-m1": m1("long", ()),
    "english-m1-windows": m1("short", (32, 8)),
    "english-equalinfo16": EQUALINFO,
}


@cache
def documents(text: str, split: str) -> list[bytes]:
    """Of TEXTS: "train" or "validation"; of C all is validation text."""
    if text == "c":
        headers = Path(sysconfig.get_paths()["include"]).rglob("*.h")
        return [path.read_bytes() for path in sorted(headers)]
    if text != "python":
        return list(load_corpus(text).documents(split))
    library = Path(sysconfig.get_paths()["stdlib"])
    files = [path.relative_to(library) for path in sorted(library.rglob("*.py"))]
    modules = [(library / file).read_bytes() for file in files if NOT_TAKEN.isdisjoint(file.parts)]
    return [one for one in modules if one and held_out(one) == (split == "validation")]


def training(text: tuple[str, ...], most: int = 1 << 40) -> list[bytes]:
    """The training text, or the first `most` bytes of each corpus."""
    return [one for name in text for one in take(documents(name, "train"), most)]


@cache
def rival(kind: str, size: int, text: tuple[str, ...] = PROSE) -> Tokenizer:
    if kind == "unigram":
        return UnigramTokenizer(peer(kind, size, text).read_bytes())
    model = json.loads(peer(kind, PEER_SIZE, text).read_text())
    vocabulary = model["model"]["vocab"]
    merges = model["model"]["merges"]
    model["model"]["vocab"] = {piece: code for piece, code in vocabulary.items() if code < size}
    model["model"]["merges"] = merges[: size - 256]
    return BPETokenizer(json.dumps(model).encode())


def peer(kind: str, size: int = PEER_SIZE, text: tuple[str, ...] = PROSE) -> Path:
    """The library's own file of a BPE or Unigram of so many ids, trained on the same text."""
    name = {"bpe": "tokenizer.json", "unigram": "unigram.model"}[kind]
    file = WORK / "rivals" / "+".join(text) / f"{kind}-{size}" / name
    if not file.exists():
        made: Any = api.train_tokenizer(kind, None, training(text), size=size)
        with atomic_file(file) as beside:
            beside.write_bytes(made.model)
    return file


def costs(tokenizer: Tokenizer, text: tuple[str, ...]) -> np.ndarray:
    """Bits of each code at its frequency in the training text, add-one smoothed: float64[codes]."""
    ids = np.concatenate(tokenizer.encode_batch(training(text, COUNTED)))
    counts = 1.0 + np.bincount(ids, minlength=tokenizer.code_size)
    return -np.log2(counts / counts.sum())


def m2(name: str, tokenizer: Tokenizer, text: tuple[str, ...]) -> Path:
    """The folder of the M2 trained on a tokenizer's ids, ends of documents among them."""
    folder = WORK / "rivals" / "m2" / name
    stream = api.token_stream(tokenizer, training(text, SEEN))
    steps = len(stream.ids) // (M2["batch_size"] * M2["context"])
    api.train_lm(folder, tokenizer, stream, steps=steps, progress=name, **M2)
    return folder


def measured(name: str, origin: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a text: of the artefact, and of its rivals. Of an M1: held-out text that it knows."""
    ready_made = READY_MADE[name]
    rows = []
    for text in TEXTS if ready_made.codes else ready_made.text:
        whole = documents(text, "validation")
        row: dict[str, Any] = {"name": name, "corpus": text, "what": TEXTS[text]}
        row["sha256"] = hashlib.sha256(b"".join(whole)).hexdigest()
        row["bytes"] = sum(map(len, whole))
        rows.append(row)
    if not ready_made.codes:
        model = load_model(FOLDER / name)
        for row in rows:
            coded = ArithmeticTokenizer(model, 8).encode_batch(
                documents(row["corpus"], "validation")
            )
            row |= {"fingerprint": fingerprint(model), "coded_bytes": sum(map(len, coded))}
        return [{**row, **origin} for row in rows]
    contenders = {"": equinfo.load(FOLDER / name)}
    contenders |= {f"{kind}_": rival(kind, ready_made.codes, ready_made.text) for kind in RIVALS}
    for before, tokenizer in contenders.items():
        bits = costs(tokenizer, ready_made.text)
        lm = m2(f"{before}{name}", tokenizer, ready_made.text)
        for row in rows:
            whole = documents(row["corpus"], "validation")
            ids = np.concatenate(tokenizer.encode_batch(whole))
            row[f"{before}tokens"] = len(ids)
            row[f"{before}bits"] = round(float(bits[ids].sum()))
            row[f"{before}m2_bits"] = round(
                api.evaluate(lm, tokenizer, whole).sum_nats / math.log(2)
            )
    shared = {"fingerprint": contenders[""].fingerprint, "codes": ready_made.codes}
    return [{**row, **shared, **origin} for row in rows]


def card(name: str, rows: list[dict[str, Any]]) -> str:
    what = READY_MADE[name].what
    first = rows[0]
    lines = [f"# {name}", "", f"{what[0].upper()}{what[1:]}.", ""]
    lines += ["Trained on the training text of:", ""]
    lines += [f"- {text}: {TEXTS[text]}" for text in READY_MADE[name].text]
    if "tokens" in first:
        lines += ["", "| text | ids of | bytes/token | bits/byte, unigram | bits/byte, M2 |"]
        lines += ["|---" * 5 + "|"]
        rivals = {"": name, "bpe_": "BPE", "unigram_": "Unigram"}
        for row in rows:
            for before, label in rivals.items():
                values = [row["bytes"] / row[f"{before}tokens"]]
                values += [row[f"{before}{bits}"] / row["bytes"] for bits in ("bits", "m2_bits")]
                cells = [row["corpus"], label, *(f"{value:.3f}" for value in values)]
                lines.append(f"| {' | '.join(cells)} |")
        told = (
            f"BPE and Unigram: {first['codes']:,} ids, trained on the same text. Bits/byte: of ids"
            " by their frequencies, and of an M2 of 0.4m (experiments/pretrained.py)."
        )
    else:
        lines += ["", "| text | bits/byte, as an AC stream |", "|---|---|"]
        for row in rows:
            lines.append(f"| {row['corpus']} | {8 * row['coded_bytes'] / row['bytes']:.4f} |")
        told = ""
    texts = [f"- {row['corpus']}: {row['what']}, {row['bytes']:,} bytes" for row in rows]
    lines += ["", "Measured on held-out text:", "", *texts, "", told]
    command = f"python -m experiments.pretrained {name}"
    origin = f"at commit {first['commit']}; rows in results/pretrained.jsonl"
    lines += ["", f"SHA-256 of the content: `{first['fingerprint']}`  ", "Licence: Apache-2.0  "]
    return "\n".join([*lines, f"Measured by `{command}` {origin}", ""])


def main(names: list[str]) -> None:
    origin = provenance()  # before the first file is written
    for name in names or READY_MADE:
        path = FOLDER / name
        if not path.exists():
            READY_MADE[name].make(path)
        rows = measured(name, origin)
        lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
        kept = [line for line in lines if json.loads(line)["name"] != name]
        with atomic_file(RESULTS) as beside:
            beside.write_text("\n".join([*kept, *map(json.dumps, rows)]) + "\n")
        with atomic_file(path.with_suffix(".md")) as beside:
            beside.write_text(card(name, rows))
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
