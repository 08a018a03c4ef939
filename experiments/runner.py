"""Carries recipes out: skips what is done, resumes what is not, one row a finished run.

Everything that a run makes lives in `runs/` under its recipe's key, so equal parts are made once and shared: the M1,
a tokenizer (an artefact folder), a token stream, an LM's training folder.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equinfo import pipeline
from equinfo.compress.models import EOD, SYMBOLS, load_model, to_artifact
from equinfo.corpora import load_corpus, take
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load
from experiments.recipes import LM, M1, Recipe, Stream, Tokens, Training
from experiments.rows import Row, Rows, provenance


class Runner:
    """Runs recipes of one scale; makes what they need in `work`, writes rows to `rows`."""

    def __init__(self, scale: str, rows: Rows, work: Path) -> None:
        self.scale, self.rows, self.work = scale, rows, work
        self.provenance = provenance()

    def run(self, recipes: Sequence[Recipe]) -> list[Row]:
        """The rows of `recipes`, running those that have none yet."""
        waiting = [recipe for recipe in recipes if self.rows.next_attempt(recipe) is not None]
        if self.rows.foreign:
            say(f"ignored rows of another recipe version: {', '.join(self.rows.foreign)}")
        say(f"{len(recipes)} runs: {len(recipes) - len(waiting)} done, {len(waiting)} to do")
        for number, recipe in enumerate(waiting, 1):
            while (attempt := self.rows.next_attempt(recipe)) is not None:
                self._run_one(attempt, f"[{number}/{len(waiting)}]")
        return self.rows.all_done(recipes)

    def _run_one(self, recipe: Recipe, label: str) -> None:
        runs = {M1: self._run_m1, Stream: self._run_stream, LM: self._run_lm}
        begun = time.monotonic()
        values = runs[type(recipe)](recipe, label)  # type: ignore[operator]
        training = getattr(recipe, "training", None)
        row = Row(
            type=type(recipe).__name__,
            key=recipe.key,
            scale=self.scale,
            recipe=recipe.to_dict(),
            seed=training.seed if training else None,
            **{"status": "done", "seconds": round(time.monotonic() - begun, 2), **values, **self.provenance},
        )
        self.rows.append(row)
        say(f"{label} {describe(row)}")

    # -- what the runs are made of -----------------------------------------------------------------------

    def documents(self, corpus: str, split: str, max_bytes: int) -> list[bytes]:
        return take(load_corpus(corpus).documents(split), max_bytes)

    def m1(self, recipe: M1, label: str = "") -> Any:
        """M1 as a byte model, trained if need be."""
        folder = self.work / "m1" / recipe.key
        model = folder / "byte-model"
        if not model.exists():
            ids = pipeline.byte_stream(self.documents(recipe.corpus, "train", recipe.train_bytes))
            self._train(recipe.training, SYMBOLS, EOD, ids, folder, f"{label} M1 {recipe.training.size}")
            to_artifact(pipeline.export_m1(folder, recipe.training.context, ids)).save(model)
        return load_model(model)

    def tokenizer(self, recipe: Tokens, label: str = "") -> Tokenizer:
        """The tokenizer of a recipe, fitted if need be."""
        folder = self.work / "tokenizers" / recipe.key
        if not folder.exists():
            self._fit(recipe, label).save(folder)
        return load(folder)

    def _fit(self, recipe: Tokens, label: str) -> Tokenizer:
        if recipe.family in ("bytes", "gzip"):
            return load("bytes" if recipe.family == "bytes" else f"gzip{recipe.size.bit_length() - 1}")
        say(f"{label} making {recipe.family} with {recipe.size} ids")
        m1 = self.m1(recipe.m1, label) if recipe.m1 else None
        documents = [] if m1 else self.documents(recipe.corpus, "train", recipe.train_bytes)
        return pipeline.make_tokenizer(recipe.family, recipe.size, recipe.bits, documents, m1)

    def stream(self, recipe: Stream, split: str, label: str = "") -> pipeline.TokenStream:
        """The token stream of one split, encoded if need be."""
        file = self.work / "streams" / f"{recipe.key}-{split}.npz"
        if not file.exists():
            tokenizer = self.tokenizer(recipe.tokens, label)
            max_bytes = recipe.train_bytes if split == "train" else recipe.validation_bytes
            documents = self.documents(recipe.corpus, split, max_bytes)
            made = pipeline.token_stream(tokenizer, documents, f"{label} {tokenizer.name} encodes {split}")
            pipeline.save_stream(made, file)
        return pipeline.load_stream(file)

    def _train(
        self, training: Training, vocab_size: int, bos_id: int, ids: np.ndarray, folder: Path, progress: str
    ) -> dict[str, Any]:
        config = pipeline.lm_config(training.style, training.size, vocab_size, bos_id, **training_options(training))
        result = pipeline.train(config, ids, folder, progress)
        return {"status": result.status, "seconds": round(result.seconds, 2), "config": config}

    # -- the three kinds of run --------------------------------------------------------------------------

    def _run_m1(self, recipe: M1, label: str) -> dict[str, Any]:
        """M1's own bits/byte on validation text: the ids are bytes and EODs, the bytes are counted alone."""
        from equinfo.lm.evaluate import evaluate
        from equinfo.lm.train import load_model as load_lm

        model = self.m1(recipe, label)
        documents = self.documents(recipe.corpus, "validation", 1 << 62)
        num_bytes = sum(len(document) for document in documents)
        ids = pipeline.byte_stream(documents)
        folder = self.work / "m1" / recipe.key
        measured = evaluate(load_lm(folder), ids, num_bytes, context=recipe.training.context, bos_id=EOD)
        return {
            "sum_nats": measured.sum_nats,
            "num_tokens": num_bytes,
            "num_bytes": num_bytes,
            "trained_tokens": recipe.training.tokens,
            "tokenizer": "M1",
            "code_size": 256,
            "size": recipe.training.size,
            "parameters": model.parameters,
            "m1_parameters": model.parameters,
        }

    def _run_stream(self, recipe: Stream, label: str) -> dict[str, Any]:
        tokenizer = self.tokenizer(recipe.tokens, label)
        train, validation = (self.stream(recipe, split, label) for split in ("train", "validation"))
        return {
            "unigram_nats": unigram_nats(tokenizer, train.ids, validation.ids),
            **stream_fields(tokenizer, train, validation),
        }

    def _run_lm(self, recipe: LM, label: str) -> dict[str, Any]:
        from equinfo.lm import flops

        tokenizer = self.tokenizer(recipe.stream.tokens, label)
        train, validation = (self.stream(recipe.stream, split, label) for split in ("train", "validation"))
        folder = self.work / "lm" / recipe.key
        trained = self._train(
            recipe.training, tokenizer.vocab_size, tokenizer.bos_id, train.ids, folder,
            f"{label} {tokenizer.name} M2 {recipe.training.size}",
        )  # fmt: skip
        config = trained.pop("config")
        fields = {
            **trained,
            **stream_fields(tokenizer, train, validation),
            "trained_tokens": recipe.training.tokens,
            "size": recipe.training.size,
            "parameters": config.model.parameters,
        }
        if trained["status"] != "done":
            return fields
        measured = pipeline.evaluate(folder, tokenizer, validation)
        ratio = validation.ratio
        return fields | {
            "sum_nats": measured.sum_nats,
            "last_nats": last_nats(folder),
            "flops_per_byte": flops.flops_per_byte(config.model, ratio, tokenizer.m1_parameters),
            "flops_per_byte_exact": flops.flops_per_byte_exact(config.model, ratio, config.context)
            + self._m1_flops(recipe.stream.tokens),
        }

    def _m1_flops(self, tokens: Tokens) -> float:
        """M1's exact FLOPs for one byte, where it runs at inference."""
        if tokens.m1 is None:
            return 0.0
        from equinfo.lm import flops
        from equinfo.lm.train import load_train_config

        config = load_train_config(self.work / "m1" / tokens.m1.key)
        return flops.flops_per_byte_exact(config.model, 1.0, config.context)


def last_nats(folder: Path) -> float:
    """Mean training loss of the last tenth of a training's steps, nats a token."""
    losses = [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return float(np.mean(losses[-max(len(losses) // 10, 1) :]))


def training_options(training: Training) -> dict[str, Any]:
    """lm.TrainConfig's fields besides the model."""
    return {
        "optimizer": pipeline.optimizer(training.style, training.learning_rate, training.warmup_steps),
        "steps": training.steps,
        "batch_size": training.batch_size,
        "context": training.context,
        "seed": training.seed,
        "precision": training.precision,
    }


def stream_fields(
    tokenizer: Tokenizer, train: pipeline.TokenStream, validation: pipeline.TokenStream
) -> dict[str, Any]:
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


def unigram_nats(tokenizer: Tokenizer, train: np.ndarray, validation: np.ndarray) -> float:
    """Nats of the validation codes under their training frequencies, add-one smoothed; EOS left out."""
    size = tokenizer.code_size
    counts = np.bincount(train[train < size], minlength=size) + 1.0
    seen = np.bincount(validation[validation < size], minlength=size)
    return float(-(seen * np.log(counts / counts.sum())).sum())


def describe(row: Row) -> str:
    """One line about a finished run."""
    if row.status != "done":
        return f"{row.tokenizer} {row.size}: {row.status}"
    if row.type == "Stream":
        return f"{row.tokenizer}: {row.ratio:.2f} bytes/token, uniform {row.uniform:.3f} bits/byte"
    return f"{row.tokenizer} {row.size}: {row.bits_per_byte:.3f} bits/byte in {row.seconds:.0f} s"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
