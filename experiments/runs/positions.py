"""How well an M2 predicts the ids of each position of a window, while it learns (fig 10).

Values, by probe and position: accuracy (top-1); gains, of each of BATCHES parts of the text: nats
an id below what the position's own frequencies give (those of the very ids that are probed, so that
nothing flatters the M2).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder
from equinfo.lm.evaluate import predict
from equinfo.lm.train import Probe, probes
from equinfo.shards import Shards
from experiments.runs.recipes import Positions
from experiments.runs.runner import Runner, m2_fields, told

PROBED = 1 << 16  # validation ids at most
BATCHES = 20
SHARE = 16  # and no more than one in so many of those trained on, so that probing costs little


def run(runner: Runner, recipe: Positions, label: str) -> dict[str, Any]:
    """The LM's training once more, probed on the way, in a folder of its own."""
    stream = recipe.lm.stream
    training = recipe.lm.training
    window = stream.tokens.bits
    width = stream.tokens.size.bit_length() - 1
    if not window or window % width or max(recipe.steps) > training.steps:
        raise EquinfoError(
            f"{stream.tokens.name} after {max(recipe.steps)} steps: no positions of a window to"
            " probe"
        )
    tokenizer = runner.tokenizer(stream.tokens, label)
    train, validation = (runner.stream(stream, split, label) for split in ("train", "validation"))
    count = min(PROBED, training.tokens // SHARE) // training.context
    rows, positions = sample(validation, window // width, training.context, count)
    folder = runner.store.folder(recipe)
    trained = runner.train(
        training, tokenizer.vocab_size, tokenizer.bos_id, train, folder,
        f"{label} {tokenizer.name} positions", **told(recipe.lm, tokenizer),
        probe=Probe(probing(rows, positions, tokenizer.bos_id), frozenset(recipe.steps)),
    )  # fmt: skip
    found = probes(folder)
    return {
        **m2_fields(tokenizer, training, trained),
        "train_bytes": train.num_bytes,
        "m1_parameters": tokenizer.m1_parameters,
        "values": {
            "steps": list(found),
            "accuracy": [one["accuracy"] for one in found.values()],
            "gains": [one["gains"] for one in found.values()],
            "constant": constant(rows, positions),
            "probed": [int(count) for count in np.bincount(positions[positions >= 0])],
        },
    }


def sample(
    validation: Shards, window: int, context: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` sequences of the validation stream: (ids, positions), int64[count, context]
    each.

    A position: ids since the document (or block) began, modulo the ids a window; -1 for EOS.
    """
    eos = validation.vocab_size - 1
    ids: list[np.ndarray] = []
    places: list[np.ndarray] = []
    held = 0
    for document, _ in validation.documents():
        part = np.asarray(document, dtype=np.int64)
        place = np.arange(len(document)) % window
        if validation.mode == "document":
            part = np.append(part, eos)
            place = np.append(place, -1)
        elif len(part) < context:
            continue
        else:
            part = part[:context]
            place = place[:context]
        ids.append(part)
        places.append(place)
        held += len(part)
        if held >= count * context:
            break
    rows = min(count, held // context)
    if not rows:
        raise EquinfoError(
            f"the validation text has fewer than the {context} ids of one sequence: take more of it"
        )
    found = [np.concatenate(parts)[: rows * context] for parts in (ids, places)]
    return found[0].reshape(rows, context), found[1].reshape(rows, context)


def probing(
    rows: np.ndarray, positions: np.ndarray, bos_id: int
) -> Callable[[Decoder], dict[str, list]]:
    """A probe: {"accuracy": [positions], "gains": [positions][batches]} of a model."""
    known = frequency_nats(rows, positions)
    places = range(positions.max() + 1)
    batches = np.array_split(np.arange(len(rows)), min(BATCHES, len(rows)))

    def measure(model: Decoder) -> dict[str, list]:
        firsts = np.maximum(positions[:, 0], 0)  # EOS follows whole windows
        nats, right = predict(model, rows, bos_id, firsts=firsts)
        gains = [
            [float((known - nats)[batch][positions[batch] == place].mean()) for batch in batches]
            for place in places
        ]
        accuracy = [float(right[positions == place].mean()) for place in places]
        return {"accuracy": accuracy, "gains": gains}

    return measure


def frequency_nats(rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Nats of each id by its frequency at its position: float64, shaped as `rows`; 0 at EOS."""
    found = np.zeros(rows.shape)
    for place in range(positions.max() + 1):
        at = positions == place
        counts = np.bincount(rows[at])
        found[at] = -np.log(counts[rows[at]] / at.sum())
    return found


def constant(rows: np.ndarray, positions: np.ndarray) -> list[float]:
    """Share of each position's most frequent id: what is right with nothing learnt."""
    at = [rows[positions == place] for place in range(positions.max() + 1)]
    return [float(np.bincount(ids).max() / len(ids)) for ids in at]
