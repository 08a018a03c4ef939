"""UTF-8 as an automaton over bytes (RFC 3629): which bytes may follow, so which pieces may."""

from functools import cache

import numpy as np

START, DEAD = 0, 8
# What is still due: 1, 2 or 3 continuation bytes, or a first one that is restricted (after E0, ED,
# F0, F4).
_NEXT = {
    0: [(0x00, 0x7F, 0), (0xC2, 0xDF, 1), (0xE0, 0xE0, 4), (0xE1, 0xEC, 2), (0xED, 0xED, 5),
        (0xEE, 0xEF, 2), (0xF0, 0xF0, 6), (0xF1, 0xF3, 3), (0xF4, 0xF4, 7)],
    1: [(0x80, 0xBF, 0)],
    2: [(0x80, 0xBF, 1)],
    3: [(0x80, 0xBF, 2)],
    4: [(0xA0, 0xBF, 1)],
    5: [(0x80, 0x9F, 1)],
    6: [(0x90, 0xBF, 2)],
    7: [(0x80, 0x8F, 2)],
}  # fmt: skip
LONGEST = 4


@cache
def transitions() -> np.ndarray:
    """u8[9, 256]: the state after a byte; DEAD where it may not follow."""
    table = np.full((9, 256), DEAD, dtype=np.uint8)
    for state, ranges in _NEXT.items():
        for first, last, following in ranges:
            table[state, first : last + 1] = following
    return table


def after(state: int, data: bytes) -> int:
    """The state after `data`."""
    table = transitions()
    for byte in data:
        state = int(table[state, byte])
    return state


def fitting(pieces: list[bytes]) -> np.ndarray:
    """bool[8, len(pieces)]: which pieces may follow in each state."""
    return np.array(
        [[after(state, piece) != DEAD for piece in pieces] for state in range(DEAD)], dtype=np.bool_
    )


def state_at_end(data: bytes) -> int:
    """The state after a text, of which at least the last 3 bytes must be given; START where they
    make no sense.
    """
    for begin in range(max(len(data) - LONGEST + 1, 0), len(data)):
        if data[begin] & 0xC0 != 0x80:  # not a continuation byte: a character begins here
            state = after(START, data[begin:])
            return START if state == DEAD else state
    return START
