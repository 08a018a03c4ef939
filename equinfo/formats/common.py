"""What the formats share: the shards' documents in bulk, and what is said of ids beside them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.shards import Shards
from equinfo.tokenizers.base import NUM_SPECIAL

LONGEST = 1 << 31  # what 32-bit counts and offsets do not reach
COUNTS = ("num_ids", "num_codes", "num_documents", "num_bytes", "corpus")

Splits = dict[str, Shards]  # one or two, of one tokenizer and mode


def opened(shards: Shards | Path | str) -> Shards:
    return shards if isinstance(shards, Shards) else Shards(shards)


def split_name(shards: Shards) -> str:
    return shards.manifest["corpus"].get("split") or "train"


def splits_of(shards: Shards | Path | str, validation: Shards | Path | str | None) -> Splits:
    """Shards by the name of their split. Raises EquinfoError where two do not belong together."""
    first = opened(shards)
    if validation is None:
        return {split_name(first): first}
    second = opened(validation)
    for part in ("tokenizer", "mode"):
        if first.manifest[part] != second.manifest[part]:
            raise EquinfoError(
                f"{first.folder} and {second.folder} differ in {part}: tokenize both with one"
                " tokenizer and mode"
            )
    return {"train": first, "validation": second}


def pieces(shards: Shards) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(ids, lengths i64[documents], num_bytes i64[documents]) of each shard; lengths count EOS."""
    documents = shards.documents()
    eos = int(shards.mode == "document")
    for ids, entry in zip(shards.parts(), shards.manifest["shards"], strict=True):
        some = islice(documents, entry["num_documents"])
        found = [(len(codes) + eos, size) for codes, size in some]
        lengths, num_bytes = np.array(found, dtype=np.int64).reshape(-1, 2).T
        yield ids, lengths, num_bytes


def tokenizer_info(shards: Shards) -> dict[str, Any]:
    names = ("pad_id", "bos_id", "eos_id")
    special = range(shards.vocab_size - NUM_SPECIAL, shards.vocab_size)
    info = {"name": shards.manifest["name"], "fingerprint": shards.manifest["tokenizer"]}
    info["vocab_size"] = shards.vocab_size
    return info | dict(zip(names, special, strict=True))


def split_info(shards: Shards) -> dict[str, Any]:
    return {**{name: shards.manifest[name] for name in COUNTS}, "shards": shards.fingerprint}


def check_size(count: int, what: str, remedy: str) -> None:
    """Raises EquinfoError where 32 bits do not count so many ids."""
    if count >= LONGEST:
        raise EquinfoError(f"{what} has {count} ids, more than 32 bits count: {remedy}")
