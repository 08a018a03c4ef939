"""Byte models: what every one offers (base.py) and those that count (counts.py)."""

from equinfo.compress.models.base import (
    EOD,
    KINDS,
    MAX_PRECISION,
    MIN_PRECISION,
    PRECISION,
    SYMBOLS,
    ByteModel,
    StaticModel,
    byte_bits,
    check_precision,
    fingerprint,
    from_artifact,
    load_model,
    normalise,
    rows_after,
    to_artifact,
)

__all__ = [
    "EOD", "KINDS", "MAX_PRECISION", "MIN_PRECISION", "PRECISION", "SYMBOLS", "ByteModel",
    "StaticModel", "byte_bits", "check_precision", "fingerprint", "from_artifact", "load_model",
    "normalise", "rows_after", "to_artifact",
]  # fmt: skip
