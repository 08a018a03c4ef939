"""Carries recipes out: skips what is done, resumes what is not, one row a finished run.

Everything that a run makes lies in the store under its recipe's key, so equal parts are made once
and shared: the M1, a tokenizer (an artefact folder), a stream (token shards), an LM's training.
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from equinfo import api
from equinfo.compress.models.base import EOD, SYMBOLS, load_model, to_artifact
from equinfo.corpora import limited, load_corpus
from equinfo.errors import EquinfoError
from equinfo.lm.config import mask_weights
from equinfo.lm.sequences import StoredIds
from equinfo.reading import place_to_cut
from equinfo.sharding import tokenize_corpus
from equinfo.shards import MANIFEST, Shards, TokenStream
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.codebook import CodebookTokenizer
from equinfo.tokenizers.registry import FAMILIES, load, make
from equinfo.upcycling import upcycle
from experiments.runs.recipes import LM, M1, Recipe, Stream, Tokens, Training
from experiments.runs.renumbered import Renumbered, UsedIds
from experiments.runs.rows import Row, Rows, provenance
from experiments.runs.store import Store

MOST_WEIGHT = 8  # of a piece that an M2 finds hard
SHARD_BYTES = 4 << 20  # text a shard: what a kill can cost in encoding
PIECE = 1 << 13  # bytes: what a longer document is cut into where a tuning split is left out

# What carries out a recipe of each type: (runner, recipe, label) -> a row's fields.
KINDS = {
    "M1": "experiments.runs.runner:run_m1",
    "Stream": "experiments.runs.runner:run_stream",
    "LM": "experiments.runs.runner:run_lm",
    "Measure": "experiments.runs.measures:run",
    "Positions": "experiments.runs.positions:run",
    "Transduction": "experiments.runs.transduction:run",
    "Spelling": "experiments.runs.spelling:run",
    "Latency": "experiments.runs.generating:run",
    "Questions": "experiments.runs.questions:run",
    "Routes": "experiments.runs.routing:run",
}


class OutOfTime(Exception):
    """The deadline has come: what was under way is kept and goes on at the next call."""


class Runner:
    """Runs recipes of one scale; makes what they need in `work`, writes rows to `rows`.

    deadline: the time.monotonic() that raises OutOfTime. epochs_ok: go beyond max_epochs.
    """

    def __init__(
        self,
        scale: str,
        rows: Rows,
        work: Path,
        deadline: float = math.inf,
        epochs_ok: bool = False,
    ) -> None:
        self.scale = scale
        self.rows = rows
        self.work = work
        self.store = Store(rows, work)
        self.deadline = deadline
        self.epochs_ok = epochs_ok
        self.provenance = provenance()

    def run(self, recipes: Sequence[Recipe]) -> list[Row]:
        """The rows of `recipes`, running those that have none yet."""
        waiting = [recipe for recipe in recipes if self.rows.next_attempt(recipe) is not None]
        if self.rows.foreign:
            say(f"ignored rows of another recipe version: {', '.join(self.rows.foreign)}")
        say(f"{len(recipes)} runs: {len(recipes) - len(waiting)} done, {len(waiting)} to do")
        for number, recipe in enumerate(waiting, 1):
            while (attempt := self.rows.next_attempt(recipe)) is not None:
                self.run_one(attempt, f"[{number}/{len(waiting)}]")
        return self.rows.all_done(recipes)

    def run_one(self, recipe: Recipe, label: str) -> Row:
        """Carry out one recipe and append its row."""
        module, name = KINDS[type(recipe).__name__].split(":")
        begun = time.monotonic()
        values = getattr(import_module(module), name)(self, recipe, label)
        fields = {
            "type": type(recipe).__name__,
            "key": recipe.key,
            "scale": self.scale,
            "recipe": recipe.to_dict(),
            "seed": getattr(getattr(recipe, "training", recipe), "seed", None),
            "status": "done",
            "seconds": round(time.monotonic() - begun, 2),
        }
        row = Row(**(fields | values | self.provenance))
        self.rows.append(row)
        say(f"{label} {describe(row)}")
        return row

    # -- what the runs are made of -----------------------------------------------------------------

    def documents(self, corpus: str, split: str, max_bytes: int) -> Iterator[bytes]:
        """Whole documents up to so many bytes, as much of each part of a corpus (see Stream)."""
        for part in parts_of(corpus, split, max_bytes):
            for document in part:
                self.check_time()
                yield document

    def check_time(self) -> None:
        if time.monotonic() >= self.deadline:
            raise OutOfTime

    def alone(self, path: Path) -> AbstractContextManager[None]:
        """Hold a path of `work`'s while it is made (see Store.alone), until the deadline."""
        return self.store.alone(path, self.check_time)

    def m1(self, recipe: M1, label: str = "") -> Any:
        """M1 as a byte model, trained if need be.

        One beside the rows is taken: another processor would train another, and all ids hang on it.
        """
        folder = self.store.folder(recipe)
        model = folder / f"byte-model-{recipe.running_context}"
        kept = self.store.kept_m1(recipe)
        with self.alone(model):
            if kept.is_dir() and not folder.exists():
                shutil.copytree(kept, folder)
            if not model.exists():
                shards = self.stream(bytes_for(recipe), "train", label)
                # end of document (256) where the stream has EOS
                numbers = np.minimum(np.arange(shards.vocab_size), EOD)
                ids = Renumbered(shards, numbers, SYMBOLS, shards.fingerprint)
                progress = f"{label} M1 {recipe.training.size}"
                self.train(recipe.training, SYMBOLS, EOD, ids, folder, progress)
                from equinfo.lm.bridge import to_byte_model
                from equinfo.lm.train import load_lm

                calibration = api.byte_stream(self.documents(recipe.corpus, "train", 1 << 20))
                made = to_byte_model(load_lm(folder), recipe.running_context, calibration)
                to_artifact(made).save(model)
        return load_model(model)

    def tokenizer(self, recipe: Tokens, label: str = "") -> Tokenizer:
        """The tokenizer of a recipe, fitted if need be."""
        folder = self.work / "tokenizers" / recipe.key
        with self.alone(folder):
            if not folder.exists():
                self._fit(recipe, label).save(folder)
        return load(folder)

    def _fit(self, recipe: Tokens, label: str) -> Tokenizer:
        if recipe.ready or FAMILIES[recipe.family].needs is None:
            return load(recipe.ready or recipe.family)
        m1 = self.m1(recipe.m1, label) if recipe.m1 else None
        if FAMILIES[recipe.family].reads(m1):
            say(f"{label} making {recipe.name}")
        documents = self.documents(recipe.corpus, "train", recipe.train_bytes)
        if recipe.hard:
            held = list(documents)
            weights = hardness(self, recipe.hard, held, label)
            return CodebookTokenizer.train(held, recipe.size, recipe.mode, recipe.parse, weights)
        return make(recipe.family, recipe.size, documents, m1, **recipe.options)

    def stream(self, recipe: Stream, split: str, label: str = "") -> Shards:
        """The shards of one split, encoded if need be."""
        folder = self.store.split(recipe, split)
        with self.alone(folder):
            if not (folder / MANIFEST).exists():
                tokenizer = self.tokenizer(recipe.tokens, label)
                max_bytes = recipe.train_bytes if split == "train" else recipe.validation_bytes
                source = recipe.split if split == "validation" else split
                documents = self.documents(recipe.corpus, source, max_bytes)
                tokenize_corpus(
                    tokenizer, documents, folder, mode=recipe.mode, shard_bytes=SHARD_BYTES,
                    block_stride=recipe.stride if split == "train" else 0,
                    progress=f"{label} {tokenizer.name} encodes {split}",
                )  # fmt: skip
        return Shards(folder, verify=False)

    def train(
        self,
        training: Training,
        vocab_size: int,
        bos_id: int,
        ids: np.ndarray | StoredIds,
        folder: Path,
        progress: str,
        model: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> dict[str, Any]:
        """Train in `folder`: {"status", "seconds", "config"}. Raises OutOfTime at the deadline, and
        EquinfoError where the stream would have to be repeated more often than the recipe says.
        model: what of the decoder the training does not say. options: see lm.train.
        """
        num_ids = len(ids) if isinstance(ids, np.ndarray) else ids.num_ids
        epochs = training.tokens / num_ids
        if epochs > training.max_epochs and not self.epochs_ok:
            raise EquinfoError(
                f"{progress.strip()}: {training.tokens:,} ids to train on are {epochs:.1f} epochs"
                f" of the corpus's {num_ids:,}, and the recipe allows {training.max_epochs:g}:"
                " take more text, or pass --epochs-ok"
            )
        from equinfo.lm.train import train

        config = training.config(vocab_size, bos_id)
        config = replace(config, model=replace(config.model, **model))
        with self.alone(folder):
            result = train(
                config, ids, folder, progress=progress, deadline=self.deadline, **options
            )
        if result.status == "paused":
            raise OutOfTime
        return {"status": result.status, "seconds": round(result.seconds, 2), "config": config}


def parts_of(corpus: str, split: str, max_bytes: int) -> list[Iterator[bytes]]:
    """The documents of each part of a corpus, an equal share of the bytes at most."""
    names = corpus.split("+")
    return [limited(split_of(name, split), max_bytes // len(names)) for name in names]


def split_of(part: str, split: str) -> Iterator[bytes]:
    """The documents of "train", "validation" or "tuning" of a corpus as Stream names it."""
    name, _, every = part.partition("%")
    if split == "validation" or not every:
        return load_corpus(name).documents(split)
    numbered = enumerate(pieces(load_corpus(name).documents("train")), 1)
    tuning = split == "tuning"
    return (piece for number, piece in numbered if (number % int(every) == 0) == tuning)


def pieces(documents: Iterable[bytes]) -> Iterator[bytes]:
    """Documents in pieces of at most PIECE bytes: what is left out is of many, be they ever so
    long."""
    for document in documents:
        at = 0
        while len(document) - at > PIECE:
            size = place_to_cut(document[at : at + PIECE + 1], PIECE)
            yield document[at : at + size]
            at += size
        yield document[at:]


def bytes_for(recipe: M1) -> Stream:
    """The bytes an M1 is trained on, whole documents."""
    return Stream(
        Tokens("bytes", 256, recipe.corpus, recipe.train_bytes),
        recipe.corpus,
        recipe.train_bytes,
        1 << 62,
    )


# -- the three plain kinds of run ------------------------------------------------------------------


def run_m1(runner: Runner, recipe: M1, label: str) -> dict[str, Any]:
    """M1's own bits/byte on validation text: of bytes and EODs, while bytes alone are counted."""
    from equinfo.lm import flops
    from equinfo.lm.evaluate import evaluate
    from equinfo.lm.train import load_lm

    model = runner.m1(recipe, label)
    documents = list(runner.documents(recipe.corpus, "validation", 1 << 20))
    num_bytes = sum(len(document) for document in documents)
    ids = api.byte_stream(documents)
    lm = load_lm(runner.store.folder(recipe))
    measured = evaluate(lm, ids, num_bytes, context=recipe.running_context, bos_id=EOD)
    lengths = [len(document) + 1 for document in documents]
    return {
        "values": {"nats": whole_nats(measured.nats, lengths), "bytes": [n - 1 for n in lengths]},
        "num_ids": measured.num_ids,
        "flops_per_byte": flops.flops_per_byte(lm.config, 1.0),
        "flops_per_byte_exact": flops.flops_per_byte_exact(lm.config, 1.0, recipe.running_context),
        "sum_nats": measured.sum_nats,
        "num_tokens": num_bytes,
        "num_bytes": num_bytes,
        "train_bytes": recipe.train_bytes,
        "trained_tokens": recipe.training.tokens,
        "tokenizer": "M1",
        "code_size": 256,
        "size": recipe.training.size,
        "parameters": model.parameters,
        "m1_parameters": model.parameters,
    }


def run_stream(runner: Runner, recipe: Stream, label: str) -> dict[str, Any]:
    """Ratio and baselines: no M2. values: bytes, codes and nats by frequency of each document, and
    how many are of each part of a corpus of several.
    """
    tokenizer = runner.tokenizer(recipe.tokens, label)
    train, validation = (runner.stream(recipe, split, label) for split in ("train", "validation"))
    nats = unigram_nats(code_counts(tokenizer, train))
    found = [(size, len(codes), float(nats[codes].sum())) for codes, size in validation.documents()]
    sizes, codes, frequent = zip(*found, strict=True)
    values: dict[str, Any] = {"bytes": sizes, "codes": codes}
    values["unigram"] = [round(one, 2) for one in frequent]
    if "+" in recipe.corpus:
        apart = parts_of(recipe.corpus, recipe.split, recipe.validation_bytes)
        values["parts"] = [sum(1 for _ in part) for part in apart]
        assert sum(values["parts"]) == len(sizes)
    return {
        "unigram_nats": math.fsum(frequent),
        **stream_fields(tokenizer, train, validation),
        "values": values,
    }


def run_lm(runner: Runner, recipe: LM, label: str) -> dict[str, Any]:
    """An M2's training and evaluation."""
    from equinfo.lm import flops
    from equinfo.lm.evaluate import evaluate
    from equinfo.lm.train import best_device, load_lm

    tokenizer = runner.tokenizer(recipe.stream.tokens, label)
    train, validation = (
        runner.stream(recipe.stream, split, label) for split in ("train", "validation")
    )
    folder = runner.store.folder(recipe)
    used = UsedIds(train, tokenizer.vocab_size, tokenizer.bos_id) if recipe.used else None
    ids = used or train
    trained = runner.train(
        recipe.training, ids.vocab_size, used.bos_id if used else tokenizer.bos_id, ids, folder,
        f"{label} {tokenizer.name} M2 {recipe.training.size}", **told(recipe, tokenizer),
        **begun(runner, recipe, label),
    )  # fmt: skip
    config = trained["config"]
    fields = {
        **m2_fields(tokenizer, recipe.training, trained),
        **stream_fields(tokenizer, train, validation),
    }
    if trained["status"] != "done":
        return fields
    text = evaluated(validation, config.context)
    seen = used.numbers[text.ids] if used else text.ids
    model = load_lm(folder).to(best_device())
    blocks = validation.mode == "block"
    measured = evaluate(
        model, seen, text.num_bytes, context=config.context, bos_id=config.bos_id, blocks=blocks
    )
    nats = used.whole(measured.nats, seen) if used else measured.nats
    ratio = validation.ratio
    values: dict[str, Any] = {"nats": whole_nats(nats, scored_lengths(validation, config.context))}
    if config.model.is_routed:
        values["routing"] = last_told(folder, ("agreed", "lost"))
    if measured.taken is not None:
        ahead = evaluate(
            model, seen, text.num_bytes, context=config.context, bos_id=config.bos_id, ahead=True
        )
        values["routing"] |= {"taken": measured.taken, "ahead_nats": ahead.sum_nats}
    return fields | {
        "values": values,
        "sum_nats": float(nats.sum(dtype=np.float64)),
        "num_ids": measured.num_ids,
        "blocks": blocks,
        "last_nats": last_told(folder, ["loss"])["loss"],
        "flops_per_byte": flops.flops_per_byte(config.model, ratio, tokenizer.m1_parameters),
        "flops_per_byte_exact": flops.flops_per_byte_exact(
            config.model, ratio, config.context, measured.taken
        )
        + m1_flops(runner, recipe.stream.tokens),
    }


def begun(runner: Runner, lm: LM, label: str) -> dict[str, Any]:
    """What Runner.train takes of an M2 that starts as another, or that others start from."""
    options: dict[str, Any] = {"keep_optimizer": True} if lm.kept else {}
    if lm.start is None:
        return options
    from equinfo.lm.train import beginning

    folder = trained_folder(runner, lm.start, label)
    if lm.training.experts > lm.start.training.experts:
        dense = folder
        folder = runner.work / f"upcycled/{lm.key}"
        with runner.alone(folder):
            if not folder.exists():
                upcycle(dense, folder, experts=lm.training.experts, seed=lm.training.seed)
    return options | beginning(folder, lm.carried)


def told(lm: LM, tokenizer: Tokenizer) -> dict[str, Any]:
    """What Runner.train takes of an M2's recipe, besides its training."""
    period = tokenizer.period if lm.place else 1
    model = {"period": period, "bigrams": lm.bigrams, "shares": lm.shares}
    if not lm.canonical:
        return {"model": model}
    mask = tokenizer.canonical_mask()
    if mask is None or lm.used:
        raise EquinfoError(f"what {tokenizer.name} never writes next is not known of these ids")
    return {"model": model | {"canonical": len(mask[1])}, "initial": mask_weights(mask)}


def hardness(runner: Runner, lm: LM, documents: list[bytes], label: str) -> list[np.ndarray]:
    """uint8[bytes] of each document: bits an M2 needs for the piece that a byte lies in, over their
    mean, in halves: 1 to MOST_WEIGHT.
    """
    from equinfo.lm.evaluate import evaluate
    from equinfo.lm.train import best_device, load_lm

    tokenizer = runner.tokenizer(lm.stream.tokens, label)
    assert isinstance(tokenizer, CodebookTokenizer)
    model = load_lm(trained_folder(runner, lm, label)).to(best_device())
    context = lm.training.context
    weights = []
    for document in documents:
        ids = np.append(tokenizer.encode(document), tokenizer.eos_id)
        found = evaluate(model, ids, len(document), context=context, bos_id=tokenizer.bos_id)
        mean = found.sum_nats / found.num_ids
        halves = np.rint(2 * found.nats[:-1] / mean).clip(1, MOST_WEIGHT).astype(np.uint8)
        weights.append(np.repeat(halves, tokenizer.dictionary.lengths(ids[:-1])))
    return weights


def trained_folder(runner: Runner, lm: LM, label: str) -> Path:
    """Where the LM's weights are, trained if need be. EquinfoError where no attempt succeeds."""
    for attempt in lm.attempts():
        folder = runner.store.folder(attempt)
        if not (folder / "weights").exists():
            run_lm(runner, attempt, label)  # type: ignore[arg-type]
        if (folder / "weights").exists():
            return folder
    raise EquinfoError(
        f"the LM on {lm.stream.tokens.name} could not be trained: every attempt was lost"
    )


def evaluated(validation: Shards, context: int) -> TokenStream:
    """What an M2 is evaluated on: all documents, or the first `context` ids of whole blocks."""
    if validation.mode == "document":
        return validation.stream()
    tiles = validation.tiles(context)
    ids = np.concatenate([tiles[number] for number in range(len(tiles))])
    return TokenStream(ids, validation.num_tokens, validation.num_bytes)


def scored_lengths(validation: Shards, context: int) -> list[int]:
    """Ids of each document that `evaluated` holds, its EOS included; in blocks, `context` each."""
    if validation.mode == "document":
        return [len(ids) + 1 for ids, _ in validation.documents()]
    return [context] * len(validation.tiles(context))


def whole_nats(nats: np.ndarray, lengths: Sequence[int]) -> list[int]:
    """The sum of each document's nats, rounded: for comparisons that are paired over documents."""
    starts = np.cumsum([0, *lengths[:-1]])
    return np.rint(np.add.reduceat(nats.astype(np.float64), starts)).astype(int).tolist()


def m1_flops(runner: Runner, tokens: Tokens) -> float:
    """M1's exact FLOPs for one byte, where it runs at inference."""
    if tokens.m1 is None:
        return 0.0
    from equinfo.lm import flops
    from equinfo.lm.train import load_train_config

    config = load_train_config(runner.store.folder(tokens.m1))
    return flops.flops_per_byte_exact(config.model, 1.0, config.context)


def last_told(folder: Path, names: Sequence[str]) -> dict[str, float]:
    """Means of the last tenth of a training's steps, of what metrics.jsonl has of these."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last = lines[-max(len(lines) // 10, 1) :]
    there = [name for name in names if name in last[0]]
    return {name: float(np.mean([line[name] for line in last])) for name in there}


def stream_fields(tokenizer: Tokenizer, train: Shards, validation: Shards) -> dict[str, Any]:
    """A row's fields that the tokenizer and its streams decide."""
    return {
        "num_tokens": validation.num_tokens,
        "num_bytes": validation.num_bytes,
        "train_tokens": train.num_tokens,
        "train_bytes": train.num_bytes,
        "tokenizer": tokenizer.name,
        "code_size": tokenizer.code_size,
        "m1_parameters": tokenizer.m1_parameters,
        "fingerprint": tokenizer.fingerprint,
    }


def m2_fields(tokenizer: Tokenizer, training: Training, trained: dict[str, Any]) -> dict[str, Any]:
    """A row's fields that an M2's training decides. trained: what Runner.train returned."""
    return {
        "status": trained["status"],
        "seconds": trained["seconds"],
        "trained_tokens": training.tokens,
        "tokenizer": tokenizer.name,
        "code_size": tokenizer.code_size,
        "size": training.size,
        "parameters": trained["config"].model.parameters,
        "fingerprint": tokenizer.fingerprint,
    }


def code_counts(tokenizer: Tokenizer, shards: Shards) -> np.ndarray:
    """How often each code occurs, int64[code_size]; EOS left out."""
    counts = np.zeros(tokenizer.vocab_size, dtype=np.int64)
    for ids in shards.parts():
        counts += np.bincount(ids, minlength=tokenizer.vocab_size)
    return counts[: tokenizer.code_size]


def unigram_nats(train: np.ndarray) -> np.ndarray:
    """Nats of each code by its frequency, add-one smoothed. int64[codes] -> float64[codes]."""
    counts = train + 1.0
    return -np.log(counts / counts.sum())


def describe(row: Row) -> str:
    """One line about a finished run."""
    if row.status != "done":
        return f"{row.tokenizer} {row.size}: {row.status}"
    if row.type == "Stream":
        return f"{row.tokenizer}: {row.ratio:.2f} bytes/token, uniform {row.uniform:.3f} bits/byte"
    if row.sum_nats is None:
        name = f"{row.type} {row.recipe.get('what', '')} {row.tokenizer}"
        return f"{name}: done in {row.seconds:.0f} s"
    return f"{row.tokenizer} {row.size}: {row.bits_per_byte:.3f} bits/byte in {row.seconds:.0f} s"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
