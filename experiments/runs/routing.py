"""Where an M2 that is a mixture of depths spends its compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr

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
    and the `pieces` of some text. Nats are the dense M2's: what an id is worth by itself, before
    anything is routed.
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
    routed, dense = (
        evaluate(load_lm(folder).to(best_device()), *sums, **options) for folder in folders
    )
    assert routed.weights is not None
    assert routed.computed is not None
    pairs = zip(routed.weights, routed.computed, strict=True)
    found = [followed(dense.nats, *pair, config.context) for pair in pairs]
    given = routed.weights * routed.computed
    values = {
        "taken": rounded(routed.computed.mean()),
        **{name: [one[name] for one in found] for name in found[0]},
        "pieces": pieces(tokenizer, text.ids, dense.nats, given),
    }
    return {**stream_fields(tokenizer, train, validation), "values": values}


def followed(
    nats: np.ndarray, weights: np.ndarray, computed: np.ndarray, context: int
) -> dict[str, float | None]:
    """correlation: Spearman's, of an id's nats and the router's weight where it was predicted, both
    less their mean at that place in a sequence of `context` ids; nats_taken, nats_passed: mean nats
    of ids where the block computed, and of others; None where there are none. float[n] each.
    """
    place = np.arange(len(nats)) % context
    centred = []
    for values in (nats, weights):
        usual = np.bincount(place, values) / np.bincount(place)
        centred.append(values - usual[place])
    found: dict[str, float | None] = {"correlation": rounded(spearmanr(*centred).statistic)}
    sides = {"nats_taken": nats[computed], "nats_passed": nats[~computed]}
    for name, side in sides.items():
        found[name] = rounded(side.mean()) if len(side) else None
    return found


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
