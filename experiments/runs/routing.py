"""What is measured of an M2 whose blocks are routed, beside its loss."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from equinfo.errors import EquinfoError
from equinfo.lm.evaluate import Evaluation
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.incremental import TextDecoder

SHOWN = 400  # bytes of the first validation document whose pieces a row keeps
DIGITS = 4


def measured(folder: Path, found: Evaluation) -> dict[str, Any]:
    """agreed, lost: means of the last tenth of the training's steps, as in metrics.jsonl. taken:
    the share of positions that routed blocks computed in evaluation; and of each of these blocks:
    correlation, Spearman's between an id's nats and the router's weight where it was predicted;
    nats_taken, nats_passed: mean nats of ids that the block computed, and of others.
    """
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last = lines[-max(len(lines) // 10, 1) :]
    told: dict[str, Any] = {
        name: round(float(np.mean([line[name] for line in last])), DIGITS)
        for name in ("agreed", "lost")
        if name in last[0]
    }
    if found.given is None:
        return told
    told["taken"] = round(float(found.taken or 0.0), DIGITS)
    for name in ("correlation", "nats_taken", "nats_passed"):
        told[name] = []
    for given in found.given:
        both = len(set((given > 0).tolist())) == 2
        taken = given > 0
        told["correlation"].append(
            round(float(spearmanr(found.nats, given).statistic), DIGITS) if both else None
        )
        for name, which in (("nats_taken", taken), ("nats_passed", ~taken)):
            told[name].append(round(float(found.nats[which].mean()), DIGITS) if both else None)
    return told


def pieces(tokenizer: Tokenizer, ids: np.ndarray, found: Evaluation) -> list[list[Any]]:
    """[text, nats, router's weight in each routed block] of the first ids of the validation text,
    SHOWN bytes of it at most. The text is what an id makes certain; the weights are those of the
    position that the id was predicted at.
    """
    assert found.given is not None
    decoder = TextDecoder(tokenizer)
    told: list[list[Any]] = []
    length = 0
    for at, drawn in enumerate(ids.tolist()):
        if drawn == tokenizer.eos_id or length >= SHOWN:
            break
        try:
            text = decoder.feed([drawn])
        except EquinfoError:  # an id alone, of streams that say nothing before their end
            break
        length += len(text.encode())
        weights = [round(float(one), DIGITS) for one in found.given[:, at]]
        told.append([text, round(float(found.nats[at]), DIGITS), *weights])
    return told
