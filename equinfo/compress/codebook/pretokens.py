"""Pretokens: words, numbers and runs of signs, whose boundaries two neighbouring bytes tell.

Every byte has one of seven classes, and whether a boundary lies between two bytes depends on their
classes alone. So the automaton has a state a class, runs in constant memory over any bytes, and a
string carries with it all that decides whether it may end at a place but the class of the byte that
follows there: the string's mask.

Nearly as GPT-2 does it: a space belongs to what follows it, letters, digits and signs run, "don't"
is "don" and "'t". A sign is not cut from the letters after it ("(the"), which makes longer pieces.
A byte of 0x80 or more is a letter, so no character of UTF-8 is ever cut.
"""

import numpy as np

from equinfo.compress.jit import kernel
from equinfo.errors import EquinfoError

LETTER, DIGIT, SPACE, NEWLINE, APOSTROPHE, SIGN, CONTROL, END = range(8)
ANYWHERE = 255  # the mask of a string that may end whatever follows

MODES = ("free", "aligned", "superword", "strict")
"""Which strings may be pieces, and where they begin and end.

free: any, anywhere. aligned: those without a boundary inside, anywhere. superword: any; one with a
boundary inside may end only at a boundary. strict: and begin only at one, or where a document does.
"""
FREE, ALIGNED, SUPERWORD, STRICT = range(len(MODES))


def _classes() -> np.ndarray:
    classes = np.full(256, CONTROL, dtype=np.uint8)
    classes[0x21:0x7F] = SIGN
    classes[ord("0") : ord("9") + 1] = DIGIT
    classes[ord("A") : ord("Z") + 1] = classes[ord("a") : ord("z") + 1] = LETTER
    classes[0x80:] = LETTER
    classes[ord(" ")] = SPACE
    classes[list(b"\n\r\t\v\f")] = NEWLINE
    classes[ord("'")] = APOSTROPHE
    return classes


def _cuts() -> np.ndarray:
    cut = np.ones((8, 8), dtype=np.bool_)
    for one in range(END):
        cut[one, one] = False  # every class runs
    cut[SPACE, :END] = False
    cut[APOSTROPHE, LETTER] = cut[SIGN, LETTER] = False
    cut[APOSTROPHE, SIGN] = cut[SIGN, APOSTROPHE] = False
    return cut


CLASS = _classes()
"""uint8[256]: the class of a byte."""
CUT = _cuts()
"""bool[8, 8]: whether a boundary lies between bytes of these classes (the second may be END)."""
CUT_BITS = np.packbits(CUT, axis=1, bitorder="little")[:, 0].copy()
"""uint8[8]: row c of CUT as a mask, bit d for the class after."""


def check_mode(mode: str) -> str:
    if mode not in MODES:
        raise EquinfoError(f"pieces that are {mode!r}: choose {', '.join(MODES)}")
    return mode


def masks_of(strings: list[bytes], mode: str) -> np.ndarray:
    """The classes of the next byte (or END) before which each string may end, a bit each: uint8[n].

    0 where it is no piece. strings: none of them empty. Single bytes may end anywhere: so every
    text is made of pieces.
    """
    data = np.frombuffer(b"".join(strings), dtype=np.uint8)
    ends = np.cumsum([len(string) for string in strings], dtype=np.int64)
    return _masks(data, ends, MODES.index(check_mode(mode)))


@kernel
def _masks(data, ends, mode):
    masks = np.full(len(ends), ANYWHERE, dtype=np.uint8)
    begin = 0
    for i in range(len(ends)):
        cut = False
        for at in range(begin + 1, ends[i]):
            cut |= CUT[CLASS[data[at - 1]], CLASS[data[at]]]
        begin = ends[i]
        if cut and mode == ALIGNED:
            masks[i] = 0
        elif cut and mode >= SUPERWORD:
            masks[i] = CUT_BITS[CLASS[data[begin - 1]]]
    return masks
