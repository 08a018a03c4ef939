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

import numpy as np

from equinfo.compress.jit import kernel

TITLE, UPPER, ESCAPE = 1, 2, 3
LONGEST = 64  # letters
SPACE = ord(" ")
LETTER, CAPITAL, SIGN = 1, 3, 4  # kinds of bytes; a capital is a letter
# What the bytes before say of the next one, on the way back.
PLAIN, TITLED, TITLED_SPACE, UPPERED, UPPERED_SPACE, INSIDE, ESCAPED = range(7)


def _states() -> tuple[np.ndarray, np.ndarray]:
    """(the next state: uint8[7, 256], what comes out: int16[7, 256], -1 for nothing)."""
    after = np.full((7, 256), PLAIN, dtype=np.uint8)
    out = np.tile(np.arange(256, dtype=np.int16), (7, 1))
    for state in range(ESCAPED):
        after[state, [TITLE, UPPER, ESCAPE]] = TITLED, UPPERED, ESCAPED
        out[state, [TITLE, UPPER, ESCAPE]] = -1
    after[TITLED, SPACE], after[UPPERED, SPACE] = TITLED_SPACE, UPPERED_SPACE
    for state in (UPPERED, UPPERED_SPACE, INSIDE):
        after[state, (KIND & LETTER) != 0] = INSIDE
    for state in range(TITLED, ESCAPED):
        out[state, KIND == LETTER] -= 32
    return after, out


def _kinds() -> np.ndarray:
    kind = np.zeros(256, dtype=np.uint8)
    kind[ord("a") : ord("z") + 1] = LETTER
    kind[ord("A") : ord("Z") + 1] = CAPITAL
    kind[[TITLE, UPPER, ESCAPE]] = SIGN
    return kind


KIND = _kinds()
"""uint8[256]"""
AFTER, OUT = _states()


def lowered(data: bytes, inside: bool = False, last: bool = True) -> tuple[bytes, int, bool]:
    """What becomes of `data`, how many bytes of it, and whether the last of those is a letter.

    inside: whether a letter was before `data`. last: all of it is used; else all but what the next
    bytes decide on, LONGEST + 1 bytes at most.
    """
    out = np.empty(2 * len(data), dtype=np.uint8)
    size, used, inside = _lower(np.frombuffer(data, dtype=np.uint8), out, inside, last)
    return out[:size].tobytes(), used, inside


def restored(data: bytes, state: int = PLAIN) -> tuple[bytes, int]:
    """The bytes that `data`, any bytes, stands for after `state`, and the state after it."""
    out = np.empty(len(data), dtype=np.uint8)
    size, state = _restore(np.frombuffer(data, dtype=np.uint8), out, state)
    return out[:size].tobytes(), state


@kernel
def _lower(data, out, inside, last):
    """As `lowered`; first how many bytes are now in `out`, which has twice the size of `data`."""
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
    size = 0
    for byte in data:
        found = OUT[state, byte]
        state = AFTER[state, byte]
        if found >= 0:
            out[size] = found
            size += 1
    return size, state
