"""How well an M2 predicts the ids of each position of a window, while it learns (fig 10).

Values, by probe and position: accuracy (top-1); gains, of each of BATCHES parts of the text: nats
an id below what the position's own frequencies give (those of the very ids that are probed, so that
nothing flatters the M2). A window's first id stands where the document could have ended, and EOS
has its share there, of the M2's mass and of the frequencies alike. A document's last window is not
probed: it is filled up with zeros.
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
    told_places = recipe.lm.place  # the probes do not know them
    if not window or window % width or told_places or max(recipe.steps) > training.steps:
        raise EquinfoError(
            f"{stream.tokens.name} after {max(recipe.steps)} steps: no positions of a window to"
            " probe"
        )
    tokenizer = runner.tokenizer(stream.tokens, label)
    train, validation = (runner.stream(stream, split, label) for split in ("train", "validation"))
    count = min(PROBED, training.tokens // SHARE) // training.context
    rows, positions, ends = sample(validation, window // width, training.context, count)
    folder = runner.store.folder(recipe)
    trained = runner.train(
        training, tokenizer.vocab_size, tokenizer.bos_id, train, folder,
        f"{label} {tokenizer.name} positions", **told(recipe.lm, tokenizer),
        probe=Probe(probing(rows, positions, ends, tokenizer.bos_id), frozenset(recipe.steps)),
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
) -> tuple[np.ndarray, np.ndarray, float]:
    """The first `count` sequences of the validation stream: (ids, positions), int64[count, context]
    each, and EOS's share of what follows a whole window.

    A position: ids since the document (or block) began, modulo the ids a window; -1 for EOS and for
    the ids of a document's last window.
    """
    eos = validation.vocab_size - 1
    ids: list[np.ndarray] = []
    places: list[np.ndarray] = []
    held = 0
    windows = ends = 0
    for document, _ in validation.documents():
        part = np.asarray(document, dtype=np.int64)
        place = np.arange(len(document)) % window
        if validation.mode == "document":
            windows += -(-len(part) // window)
            ends += 1
            place[(len(part) - 1) // window * window :] = -1
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
    share = ends / (windows + ends) if ends else 0.0
    return found[0].reshape(rows, context), found[1].reshape(rows, context), share


def probing(
    rows: np.ndarray, positions: np.ndarray, ends: float, bos_id: int
) -> Callable[[Decoder], dict[str, list]]:
    """A probe: {"accuracy": [positions], "gains": [positions][batches]} of a model."""
    known = frequency_nats(rows, positions, ends)
    places = range(positions.max() + 1)
    batches = np.array_split(np.arange(len(rows)), min(BATCHES, len(rows)))

    def measure(model: Decoder) -> dict[str, list]:
        nats, right = predict(model, rows, bos_id)
        gains = [
            [float((known - nats)[batch][positions[batch] == place].mean()) for batch in batches]
            for place in places
        ]
        accuracy = [float(right[positions == place].mean()) for place in places]
        return {"accuracy": accuracy, "gains": gains}

    return measure


def frequency_nats(rows: np.ndarray, positions: np.ndarray, ends: float) -> np.ndarray:
    """Nats of each id by its frequency at its position, EOS's share (`ends`) left of the first
    one's: float64, shaped as `rows`; 0 where nothing is probed.
    """
    found = np.zeros(rows.shape)
    for place in range(positions.max() + 1):
        at = positions == place
        counts = np.bincount(rows[at])
        found[at] = -np.log(counts[rows[at]] / at.sum())
    found[positions == 0] -= np.log(1 - ends)
    return found


def constant(rows: np.ndarray, positions: np.ndarray) -> list[float]:
    """Share of each position's most frequent id: what is right with nothing learnt."""
    at = [rows[positions == place] for place in range(positions.max() + 1)]
    return [float(np.bincount(ids).max() / len(ids)) for ids in at]
