"""Case as signs: words in small letters, and before them what was capital: bytes -> bytes.

A word is a run of ASCII letters, as long as there are any; all else is no letter. So

    text   = (word | byte)*
    word   = small letters                      "the"    "the"
           | a capital, and small letters or    "The"    TITLE "the"
             none after it
           | capitals alone, two or more        "THE"    UPPER "the"
           | any other, as it is                "iPhone" "iPhone"
    byte   = TITLE, UPPER or ESCAPE itself               ESCAPE and the byte
           | any other, as it is

where words of more than LONGEST letters are "any other", and a sign stands before the space of its
word, if there is one: " The" is TITLE " the", so that " the" is one string everywhere.

Back, each byte string means something: a sign makes the next letter, or the letters next to one
another, capital, if they come at once or after one space; else it means nothing, and so does ESCAPE
at the end. `lowered` is therefore injective, and `restored` its inverse on what it gives.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from equinfo.compress.jit import kernel

TITLE, UPPER, ESCAPE = 1, 2, 3
LONGEST = 64  # letters
SPACE = ord(" ")
LETTER, CAPITAL, SIGN = 1, 3, 4  # kinds of bytes; a capital is a letter
# What the bytes before say of the next one, on the way back.
PLAIN, TITLED, TITLED_SPACE, UPPERED, UPPERED_SPACE, INSIDE, ESCAPED = range(0, 7 << 8, 1 << 8)


def _kinds() -> np.ndarray:
    kind = np.zeros(256, dtype=np.uint8)
    kind[ord("a") : ord("z") + 1] = LETTER
    kind[ord("A") : ord("Z") + 1] = CAPITAL
    kind[[TITLE, UPPER, ESCAPE]] = SIGN
    return kind


def _steps() -> np.ndarray:
    after = np.full((7, 256), PLAIN)
    out = np.tile(np.arange(256), (7, 1))
    emits = np.ones((7, 256), dtype=np.int64)
    for row in range(6):  # all but that of ESCAPED
        after[row, [TITLE, UPPER, ESCAPE]] = TITLED, UPPERED, ESCAPED
        emits[row, [TITLE, UPPER, ESCAPE]] = 0
    for row in range(1, 6):  # those of signs
        out[row, KIND == LETTER] -= 32
    after[TITLED >> 8, SPACE], after[UPPERED >> 8, SPACE] = TITLED_SPACE, UPPERED_SPACE
    for state in (UPPERED, UPPERED_SPACE, INSIDE):
        after[state >> 8, (KIND & LETTER) != 0] = INSIDE
    return (after << 9 | emits << 8 | out).astype(np.uint32).ravel()


KIND = _kinds()
"""uint8[256]"""
STEPS = _steps()
"""uint32[7 * 256], at state + byte: the state after it << 9 | whether one comes out << 8 | it."""


def lowered(documents: list[bytes]) -> list[bytes]:
    """Each document with its case as signs."""
    return _all(documents, 2, _lower_all)


def restored(documents: list[bytes]) -> list[bytes]:
    """The bytes that each document, of any bytes, stands for."""
    return _all(documents, 1, _restore_all)


def _all(documents: list[bytes], most: int, kernel: Any) -> list[bytes]:
    """The documents through a kernel that makes at most `most` bytes of one."""
    data = np.frombuffer(b"".join(documents), dtype=np.uint8)
    ends = np.cumsum([len(document) for document in documents], dtype=np.int64)
    out = np.empty(most * len(data) + 1, dtype=np.uint8)
    kernel(data, out, ends)
    whole = memoryview(out)
    return [bytes(whole[a:b]) for a, b in pairwise([0, *ends.tolist()])]


def lowered_part(data: bytes, inside: bool, last: bool) -> tuple[bytes, int, bool]:
    """What becomes of a part of a document, how many bytes of it, and whether a letter ends them.

    inside: whether a letter was before `data`. last: all of it is used; else all but what the next
    bytes decide on, LONGEST + 1 bytes at most.
    """
    out = np.empty(2 * len(data), dtype=np.uint8)
    size, used, inside = _lower(np.frombuffer(data, dtype=np.uint8), out, inside, last)
    return out[:size].tobytes(), used, inside


def restored_part(data: bytes, state: int) -> tuple[bytes, int]:
    """The bytes that `data` stands for after `state` (PLAIN at first), and the state after it."""
    out = np.empty(len(data) + 1, dtype=np.uint8)
    size, state = _restore(np.frombuffer(data, dtype=np.uint8), out, state)
    return out[:size].tobytes(), state


@kernel
def _lower_all(data, out, ends):
    """Turn `ends`, where documents end in `data`, into where they end in `out`."""
    begin = size = 0
    for k in range(len(ends)):
        size += _lower(data[begin : ends[k]], out[size:], False, True)[0]
        begin = ends[k]
        ends[k] = size


@kernel
def _restore_all(data, out, ends):
    begin = size = 0
    for k in range(len(ends)):
        size += _restore(data[begin : ends[k]], out[size:], PLAIN)[0]
        begin = ends[k]
        ends[k] = size


@kernel
def _lower(data, out, inside, last):
    """As `lowered_part`; first how many bytes are now in `out`, twice as large as `data`."""
    at = 0
    size = 0
    while at < len(data):
        byte = data[at]
        kind = KIND[byte]
        if kind == SIGN:
            out[size] = ESCAPE
            size += 1
        elif kind == CAPITAL and not (inside if at == 0 else KIND[data[at - 1]] & LETTER):
            end = at + 1
            capitals = 1
            while end < len(data) and end - at <= LONGEST and KIND[data[end]] & LETTER:
                capitals += KIND[data[end]] == CAPITAL
                end += 1
            spaced = at > 0 and data[at - 1] == SPACE
            if end == len(data) and not last and end - at <= LONGEST:
                at -= spaced
                size -= spaced
                break
            upper = capitals == end - at > 1
            if (upper or capitals == 1) and end - at <= LONGEST:
                out[size - spaced] = UPPER if upper else TITLE
                if spaced:
                    out[size] = SPACE
                size += 1
                while at < end:
                    out[size] = data[at] | 32
                    size += 1
                    at += 1
                continue
        out[size] = byte
        size += 1
        at += 1
    if not last and at > 0 and at == len(data) and data[at - 1] == SPACE:
        at -= 1
        size -= 1
    return size, at, (KIND[data[at - 1]] & LETTER) != 0 if at > 0 else inside


@kernel
def _restore(data, out, state):
    """As `restored_part`; first how many bytes are now in `out`, which has one more than `data`."""
    size = np.int64(0)
    for byte in data:
        step = np.int64(STEPS[state + byte])
        out[size] = step & 255
        size += step >> 8 & 1
        state = step >> 9
    return size, state
