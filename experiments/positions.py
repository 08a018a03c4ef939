"""How well an M2 predicts the ids of each position of a window, while it learns (fig 10)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import predict
from equinfo.lm.train import Probe, probes
from equinfo.shards import Shards
from experiments.recipes import Positions
from experiments.runner import Runner, m2_fields

PROBED = 1 << 16  # validation ids at most
SHARE = 16  # and no more than one in so many of those trained on, so that probing costs little


def run(runner: Runner, recipe: Positions, label: str) -> dict[str, Any]:
    """The LM's training once more, probed on the way, in a folder of its own."""
    stream, training = recipe.lm.stream, recipe.lm.training
    window, width = stream.tokens.bits, stream.tokens.size.bit_length() - 1
    if not window or window % width or max(recipe.steps) > training.steps:
        raise EquinfoError(f"{stream.tokens.name} after {max(recipe.steps)} steps: no positions of a window to probe")
    tokenizer = runner.tokenizer(stream.tokens, label)
    train, validation = (runner.stream(stream, split, label) for split in ("train", "validation"))
    count = min(PROBED, training.tokens // SHARE) // training.context
    rows, positions = sample(validation, window // width, training.context, count)
    folder = runner.work / "positions" / recipe.key
    trained = runner.train(
        training, tokenizer.vocab_size, tokenizer.bos_id, train, folder, f"{label} {tokenizer.name} positions",
        probe=Probe(accuracies(rows, positions, tokenizer.bos_id), frozenset(recipe.steps)),
    )  # fmt: skip
    found = probes(folder)
    return {
        **m2_fields(tokenizer, training, trained),
        "train_bytes": train.num_bytes,
        "m1_parameters": tokenizer.m1_parameters,
        "values": {
            "steps": list(found),
            "accuracy": list(found.values()),
            "constant": constant(rows, positions),
            "probed": [int(count) for count in np.bincount(positions[positions >= 0])],
        },
    }


def sample(validation: Shards, window: int, context: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` sequences of the validation stream: (ids, positions), int64[count, context] each.

    A position is the number of ids since the document (or block) began, modulo the ids a window; -1 for EOS.
    """
    eos = validation.vocab_size - 1
    ids: list[np.ndarray] = []
    places: list[np.ndarray] = []
    held = 0
    for document, _ in validation.documents():
        part, place = np.asarray(document, dtype=np.int64), np.arange(len(document)) % window
        if validation.mode == "document":
            part, place = np.append(part, eos), np.append(place, -1)
        elif len(part) < context:
            continue
        else:
            part, place = part[:context], place[:context]
        ids.append(part)
        places.append(place)
        held += len(part)
        if held >= count * context:
            break
    rows = min(count, held // context)
    if not rows:
        raise EquinfoError(f"the validation text has fewer than the {context} ids of one sequence: take more of it")
    cut = slice(0, rows * context)
    return np.concatenate(ids)[cut].reshape(rows, context), np.concatenate(places)[cut].reshape(rows, context)


def accuracies(rows: np.ndarray, positions: np.ndarray, bos_id: int) -> Callable[[Decoder], list[float]]:
    """A probe: top-1 accuracy at each position of a window."""

    def measure(model: Decoder) -> list[float]:
        _, right = predict(model, rows, bos_id)
        return [float(right[positions == place].mean()) for place in range(positions.max() + 1)]

    return measure


def constant(rows: np.ndarray, positions: np.ndarray) -> list[float]:
    """Share of each position's most frequent id: what is right without having learnt anything of the context."""
    at = [rows[positions == place] for place in range(positions.max() + 1)]
    return [float(np.bincount(ids).max() / len(ids)) for ids in at]
