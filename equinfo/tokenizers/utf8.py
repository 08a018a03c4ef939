"""Text as bytes; and UTF-8 as an automaton over them (RFC 3629): which pieces may follow."""

import codecs
from collections.abc import Iterator
from functools import cache

import numpy as np

from equinfo.errors import EquinfoError

Text = bytes | bytearray | memoryview | str
NOT_TEXT = (
    "is not valid UTF-8 at byte %d: subword tokenizers take text only; choose bytes, gzip, ac or"
    " equalinfo for any bytes"
)

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
PIECE = 1 << 20  # bytes


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
    """The state after a text, of at least its last 3 bytes; START where they make no sense."""
    for begin in range(max(len(data) - LONGEST + 1, 0), len(data)):
        if data[begin] & 0xC0 != 0x80:  # not a continuation byte: a character begins here
            state = after(START, data[begin:])
            return START if state == DEAD else state
    return START


def as_bytes(text: Text) -> bytes:
    """UTF-8 of a str (lone surrogates are refused), the bytes of any buffer."""
    if type(text) is bytes:
        return text
    if not isinstance(text, str):
        try:
            return bytes(memoryview(text))  # bytes(text) alone would take an int for a length
        except TypeError as error:
            raise EquinfoError(
                f"a document must be bytes or str, not {type(text).__name__}"
            ) from error
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EquinfoError(
            f"the text has a lone surrogate at character {error.start}: pass bytes"
        ) from error


def all_as_bytes(documents: list[Text]) -> list[bytes]:
    """`as_bytes` of each; a call a document would take as long as many an encoder."""
    try:
        return list(map(str.encode, documents))  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):  # not all are str, or as_bytes says what is wrong
        return [as_bytes(document) for document in documents]


def pieces_of(data: bytes) -> Iterator[str]:
    """UTF-8 as str, piece by piece: that of the whole may take four times the memory.

    Raises UnicodeDecodeError, whose `start` is the byte of `data`.
    """
    at = 0
    last = False
    while not last:
        last = at + PIECE >= len(data)
        try:
            text, used = codecs.utf_8_decode(data[at : at + PIECE], "strict", last)
        except UnicodeDecodeError as error:
            error.start += at
            raise
        yield text
        at += used


def utf8_texts(documents: list[bytes]) -> list[str]:
    """The documents as str. Raises EquinfoError naming document and byte of what is no UTF-8."""
    texts = []
    for number, document in enumerate(documents):
        try:
            texts.append(document.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise EquinfoError(f"document {number} {NOT_TEXT % error.start}") from error
    return texts


def characters(data: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Of UTF-8: (characters begun before each byte and before the end, whether one begins there).

    int64[len(data) + 1], bool[len(data) + 1].
    """
    begins = np.append(np.frombuffer(data, dtype=np.uint8) & 0xC0 != 0x80, True)
    return np.cumsum(begins) - begins, begins
