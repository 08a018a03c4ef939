"""Where an M2 that is a mixture of depths spends its compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.incremental import TextDecoder

if TYPE_CHECKING:
    from experiments.runs.recipes import Routes
    from experiments.runs.runner import Runner

SHOWN = 400  # bytes of the first validation document whose pieces a row keeps
DIGITS = 4


def run(runner: Runner, recipe: Routes, label: str) -> dict[str, Any]:
    """values: of each routed block, `followed`; taken: the share of positions that all computed;
    and the `pieces` of some text. Nats and entropies are the dense M2's: what an id is worth by
    itself, before anything is routed, and what could be expected.
    """
    from equinfo.lm.evaluate import evaluate
    from equinfo.lm.train import best_device, load_lm, load_train_config
    from experiments.runs.runner import evaluated, stream_fields, trained_folder

    stream = recipe.lm.stream
    tokenizer = runner.tokenizer(stream.tokens, label)
    train, validation = (runner.stream(stream, split, label) for split in ("train", "validation"))
    folders = [trained_folder(runner, lm, label) for lm in (recipe.lm, recipe.dense)]
    config = load_train_config(folders[0])
    text = evaluated(validation, config.context)
    sums = (text.ids, text.num_bytes)
    options: dict[str, Any] = {"context": config.context, "bos_id": config.bos_id}
    options["entropies"] = True
    routed, dense = (
        evaluate(load_lm(folder).to(best_device()), *sums, **options) for folder in folders
    )
    assert dense.entropies is not None
    assert routed.weights is not None
    assert routed.computed is not None
    given = routed.weights * routed.computed
    found = [followed(dense.nats, dense.entropies, one, config.context) for one in given]
    values = {
        "taken": rounded(routed.computed.mean()),
        **{name: [one[name] for one in found] for name in found[0]},
        "pieces": pieces(tokenizer, text.ids, dense.nats, given),
    }
    return {**stream_fields(tokenizer, train, validation), "values": values}


def followed(
    nats: np.ndarray, entropies: np.ndarray, given: np.ndarray, context: int
) -> dict[str, float | None]:
    """What a block gave an id's prediction (the router's weight, or 0 where it computed nothing)
    beside what the id is worth, float[n] each.

    given_nats, given_entropies, entropies_nats: Spearman's correlations. nats_taken, nats_passed:
    mean nats of ids where the block computed, and of others; None where there are none. All within
    each place of a sequence of `context` ids, as early ones are worth more.
    """
    whole = len(nats) // context * context
    tiles = {"nats": nats, "entropies": entropies, "given": given}
    tiles = {name: values[:whole].reshape(-1, context) for name, values in tiles.items()}
    found: dict[str, float | None] = {
        f"{one}_{other}": correlation(tiles[one], tiles[other])
        for one, other in (("given", "nats"), ("given", "entropies"), ("entropies", "nats"))
    }
    usual = tiles["nats"].mean(axis=0)
    apart = tiles["nats"] - usual + usual.mean()
    taken = tiles["given"] > 0
    for name, side in (("nats_taken", apart[taken]), ("nats_passed", apart[~taken])):
        found[name] = rounded(side.mean()) if len(side) else None
    return found


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """The mean of Spearman's correlations in each column, of those where both vary."""
    ranks = [rankdata(values, axis=0) for values in (one, other)]
    x, y = (values - values.mean(axis=0) for values in ranks)
    spread = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    varies = spread > 0
    return rounded(((x * y).sum(axis=0)[varies] / spread[varies]).mean()) if varies.any() else None


def pieces(
    tokenizer: Tokenizer, ids: np.ndarray, nats: np.ndarray, given: np.ndarray
) -> list[list[Any]]:
    """[text, nats, what each routed block gave] of the first ids of a text, SHOWN bytes of it at
    most. The text is what an id makes certain; ids[n], nats[n], given[blocks, n].
    """
    decoder = TextDecoder(tokenizer)
    found: list[list[Any]] = []
    length = 0
    for at, drawn in enumerate(ids.tolist()):
        if drawn == tokenizer.eos_id or length >= SHOWN:
            break
        try:
            text = decoder.feed([drawn])
        except EquinfoError:  # an id alone, of streams that say nothing before their end
            break
        length += len(text.encode())
        found.append([text, rounded(nats[at]), *map(rounded, given[:, at])])
    return found


def rounded(value: Any) -> float:
    return round(float(value), DIGITS)
