"""Ids by their units: what each stands for, its place in a text, the text of impossible ids."""

import contextlib

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.utf8 import characters

REPLACEMENT = "\ufffd".encode()


def code_bytes(tokenizer: Tokenizer) -> list[bytes | None]:
    """What each code of a tokenizer of unit 1 stands for; None where no text has it."""
    if type(tokenizer)._token_bytes is not Tokenizer._token_bytes:
        return [tokenizer._token_bytes(code) for code in range(tokenizer.code_size)]
    codes = np.arange(tokenizer.code_size, dtype=tokenizer.dtype)[:, None]
    try:
        return list(tokenizer.decode_batch(codes))
    except EquinfoError:
        return [_unit_bytes(tokenizer, code) for code in codes]


def readable(tokenizer: Tokenizer, ids: np.ndarray) -> str:
    """The text of any codes: U+FFFD for bytes that are no UTF-8, and for what of a unit no text
    has.

    Of a unit that no text has, and of an unfinished one at the end, stays what its first ids decode
    to, which may be nothing. So the text of ids that grow only grows, but for a U+FFFD at its end
    where a character is unfinished.
    """
    whole = len(ids) - len(ids) % (tokenizer.unit or 1)
    end = _begun(tokenizer, ids[whole:])
    return b"".join([*_whole_units(tokenizer, ids[:whole]), end]).decode("utf-8", "replace")


def _whole_units(tokenizer: Tokenizer, ids: np.ndarray) -> list[bytes]:
    try:
        return [tokenizer.decode(ids)]
    except EquinfoError:
        found = []
        for unit in ids.reshape(-1, tokenizer.unit or 1):
            data = _unit_bytes(tokenizer, unit)
            found.append(_begun(tokenizer, unit[:-1]) + REPLACEMENT if data is None else data)
        return found


def _unit_bytes(tokenizer: Tokenizer, unit: np.ndarray) -> bytes | None:
    with contextlib.suppress(EquinfoError):
        single = tokenizer.unit == 1
        return tokenizer._token_bytes(int(unit[0])) if single else tokenizer.decode(unit)
    return None


def _begun(tokenizer: Tokenizer, unit: np.ndarray) -> bytes:
    """What the most of the first ids of a unit that decode decode to."""
    for count in range(len(unit), 0, -1):
        with contextlib.suppress(EquinfoError):
            return tokenizer.decode(unit[:count])
    return b""


def offsets(tokenizer: Tokenizer, text: str, ids: np.ndarray) -> np.ndarray:
    """int64[len(ids), 2]: the characters of `text`, first and last (exclusive), of each id's bytes.

    `ids` are those of `text`; all ids of a unit share what it stands for.
    """
    data = text.encode("utf-8")
    if not len(ids):
        return np.empty((0, 2), dtype=np.int64)
    unit = tokenizer.unit or 1
    ends = np.cumsum(_sizes(tokenizer, ids, unit))
    begins = np.concatenate([[0], ends])
    # the last unit, which may be short, stands for all that is left
    ends = np.append(ends, len(data))
    before, starts = characters(data)
    first = before[begins] - ~starts[begins]
    return np.repeat(np.stack([first, before[ends]], axis=1), unit, axis=0)[: len(ids)]


def _sizes(tokenizer: Tokenizer, ids: np.ndarray, unit: int) -> np.ndarray:
    """int64[units - 1]: the bytes of each unit but the last. Each that occurs is decoded once."""
    rows = ids[: (len(ids) - 1) // unit * unit].reshape(-1, unit)
    distinct, where = np.unique(rows, axis=0, return_inverse=True)
    try:
        data: list[bytes] = tokenizer.decode_batch(distinct)
    except EquinfoError:  # subwords that are a part of a character
        data = [tokenizer.token_bytes(int(row[0])) for row in distinct]
    return np.fromiter(map(len, data), dtype=np.int64, count=len(data))[where.reshape(-1)]
