"""The one bridge from `lm` to `compress`: a trained byte LM becomes a byte model."""

import numpy as np

from equinfo.compress.models.base import SYMBOLS
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder
from equinfo.lm.freeze import freeze
from equinfo.lm.sequences import shifted

CALIBRATION_IDS = 1 << 15  # what is used of a stream


def to_byte_model(model: Decoder, context: int, ids: np.ndarray) -> IntegerByteModel:
    """Freeze a byte LM trained on sequences of `context` ids to integers.

    ids: integers[n], training text as a stream, EOD after each document; the beginning of it
    decides the units of the activations. Raises EquinfoError if the vocabulary is not the 257
    symbols, if the LM has bigrams, shares or routed blocks, if weights are not finite, without
    text, and where a sum might leave 32 bits.
    """
    if model.config.bigrams or model.config.shares or model.config.is_routed:
        raise EquinfoError(
            "an M1 of integers has no bigrams, no shares of its input and no routed blocks"
        )
    if model.config.vocab_size != SYMBOLS:
        raise EquinfoError(
            f"an M1 has {SYMBOLS} ids (bytes and end of document), this LM has"
            f" {model.config.vocab_size}"
        )
    used = ids[:CALIBRATION_IDS].astype(np.int64)
    if not len(used):
        raise EquinfoError("an M1 is frozen on training text: there is none")
    rows = max(len(used) // context, 1)
    targets = used[: rows * context].reshape(rows, -1)
    return IntegerByteModel(*freeze(model, context, shifted(targets, SYMBOLS - 1)))
