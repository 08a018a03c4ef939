"""Reading one form of a text and writing another: compression and decompression as tasks for an M2
(§5.2).

A sequence is [what is read][SEP][what is written][END]; only what is written is scored. One
vocabulary for all tasks: bytes, then codes, then SEP, END, BOS. The control reads nothing, so its
first byte follows SEP as elsewhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from equinfo.lm.evaluate import predict
from equinfo.lm.sequences import Examples, example
from equinfo.lm.train import best_device, load_lm
from equinfo.sharding import tokenize_corpus
from equinfo.shards import Shards
from experiments.runs.recipes import Transduction
from experiments.runs.runner import SHARD_BYTES, Runner, m2_fields

BYTES = 256
EVALUATED = 20  # batches, as in the paper


@dataclass(frozen=True)
class Layout:
    """How texts become sequences of `context` ids; the tokenizer's codes follow the bytes."""

    task: str
    code_size: int
    context: int

    @property
    def sep(self) -> int:
        return BYTES + self.code_size

    @property
    def end(self) -> int:
        return self.sep + 1

    @property
    def bos(self) -> int:
        return self.sep + 2

    @property
    def vocab_size(self) -> int:
        return self.sep + 3

    def row(self, text: bytes, ids: np.ndarray) -> np.ndarray | None:
        """int32[context] of a text and its ids; None where both do not fit, whatever the task, so
        that all tasks and their controls have the same texts.
        """
        if len(text) + len(ids) + 2 > self.context:
            return None
        plain = np.frombuffer(text, dtype=np.uint8).astype(np.int32)
        codes = ids.astype(np.int32) + BYTES
        nothing = plain[:0]
        read, written = {
            "decompress": (codes, plain), "compress": (plain, codes), "control": (nothing, plain),
        }[self.task]  # fmt: skip
        return example(np.append(read, self.sep), np.append(written, self.end), self.context)


def run(runner: Runner, recipe: Transduction, label: str) -> dict[str, Any]:
    """A transducer's training and its evaluation on 20 batches of validation texts."""
    training = recipe.training
    tokenizer = runner.tokenizer(recipe.stream.tokens, label)
    layout = Layout(recipe.task, tokenizer.code_size, training.context)
    rows, left_out = sequences(
        runner, recipe, layout, "train", training.steps * training.batch_size, label
    )
    folder = runner.store.folder(recipe)
    trained = runner.train(
        training, layout.vocab_size, layout.bos, Examples(rows, layout.vocab_size), folder,
        f"{label} {tokenizer.name} {recipe.task} M2 {training.size}",
    )  # fmt: skip
    fields = {
        **m2_fields(tokenizer, training, trained),
        "train_bytes": len(rows) * recipe.text_bytes,
    }
    if trained["status"] != "done":
        return fields
    texts, also_left_out = sequences(
        runner, recipe, layout, "validation", EVALUATED * training.batch_size, label
    )
    model = load_lm(folder).to(best_device())
    measured = evaluate(predict(model, texts, layout.bos), texts, layout, training.batch_size)
    counts = {"texts": len(texts), "train_texts": len(rows), "left_out": left_out + also_left_out}
    return fields | {"num_bytes": len(texts) * recipe.text_bytes, "values": measured | counts}


def sequences(
    runner: Runner, recipe: Transduction, layout: Layout, split: str, count: int, label: str
) -> tuple[np.ndarray, int]:
    """(the sequences of up to `count` texts, int32[texts, context]; how many did not fit)."""
    stored = encoded(runner, recipe, split, count, label)
    pairs = zip(texts_of(runner, recipe, split, count), stored.documents(), strict=True)
    rows = [layout.row(text, ids) for text, (ids, _) in pairs]
    fitting = [row for row in rows if row is not None]
    return np.array(fitting, dtype=np.int32).reshape(-1, layout.context), len(rows) - len(fitting)


def encoded(runner: Runner, recipe: Transduction, split: str, count: int, label: str) -> Shards:
    """The texts' ids, each text encoded by itself; kept, and shared by the tasks of a tokenizer."""
    tokenizer = runner.tokenizer(recipe.stream.tokens, label)
    folder = runner.work / "texts" / f"{recipe.stream.key}-{recipe.text_bytes}-{count}-{split}"
    progress = f"{label} {tokenizer.name} encodes {split} texts"
    with runner.alone(folder):
        texts = texts_of(runner, recipe, split, count)
        return tokenize_corpus(
            tokenizer, texts, folder, shard_bytes=SHARD_BYTES // 8, progress=progress
        )


def texts_of(runner: Runner, recipe: Transduction, split: str, count: int) -> Iterator[bytes]:
    """The corpus's first `count` texts of text_bytes bytes."""
    stream = recipe.stream
    max_bytes = stream.train_bytes if split == "train" else stream.validation_bytes
    return islice(
        pieces(runner.documents(stream.corpus, split, max_bytes), recipe.text_bytes), count
    )


def pieces(documents: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Each document from its beginning in pieces of `size` bytes, without the rest."""
    for document in documents:
        for at in range(0, len(document) - size + 1, size):
            yield document[at : at + size]


def evaluate(
    found: tuple[np.ndarray, np.ndarray], rows: np.ndarray, layout: Layout, batch_size: int
) -> dict[str, Any]:
    """Accuracy, and loss in nats with its standard deviation over batches, of all that is written
    but END.

    found: as `predict` gives it for `rows`.
    """
    nats, right = found
    scored = (rows >= 0) & (rows != layout.end)
    batches = [slice(at, at + batch_size) for at in range(0, len(rows), batch_size)]
    losses = [float(nats[batch][scored[batch]].mean(dtype=np.float64)) for batch in batches]
    return {
        "accuracy": float(right[scored].mean()),
        "loss": float(nats[scored].mean(dtype=np.float64)),
        "loss_std": float(np.std(losses, ddof=1)) if len(losses) > 1 else 0.0,
        "losses": [round(loss, 6) for loss in losses],
        "scored": int(scored.sum()),
    }
