"""A codebook: a list of strings, all 256 bytes among them, and a text as numbers in that list.

Three ways to cut a text into strings: the longest that fits, again and again; as few as possible;
or the likeliest, which cost least where a string costs -log2 of its share of all pieces. Which
strings fit depends on the mode. Boundaries lie between words, numbers and runs of signs:

free        any string fits where the text goes on with it
aligned     none with a boundary inside
superword   one with a boundary inside ("In the") only where it also ends at a boundary
strict      and only where it also begins at one, or where the text does

>>> strings = [bytes([byte]) for byte in range(256)] + [b"ab", b"abc", b"cdef"]
>>> longest(strings, b"abcdef")
[b'abc', b'd', b'e', b'f']
>>> fewest(strings, b"abcdef")
[b'ab', b'cdef']
>>> [strings.index(piece) for piece in fewest(strings, b"abcdef")]  # the ids
[256, 258]
>>> longest([*strings, b"In the"], b"In them", "superword")[:2]  # "them" would be cut
[b'I', b'n']
>>> longest([*strings, b"o the"], b"to the", "strict")[:2]  # "to" would be cut
[b't', b'o']
"""

from collections.abc import Collection, Mapping


def longest(strings: Collection[bytes], text: bytes, mode: str = "free") -> list[bytes]:
    pieces: list[bytes] = []
    at = 0
    while at < len(text):
        pieces.append(fitting(strings, text, at, mode)[-1])
        at += len(pieces[-1])
    return pieces


def fewest(strings: Collection[bytes], text: bytes, mode: str = "free") -> list[bytes]:
    return likeliest(dict.fromkeys(strings, 1), text, mode)


def likeliest(costs: Mapping[bytes, int], text: bytes, mode: str = "free") -> list[bytes]:
    """From the end backwards: the best cut of text[at:] is one piece and the best cut of the rest.

    Of two that cost as much, the one whose first piece is longer. (Beyond 33 kB the fast code takes
    a document in blocks, so that its memory is bounded: compress/dictionary/parse.py.)
    """
    best: dict[int, list[bytes]] = {len(text): []}
    for at in range(len(text) - 1, -1, -1):
        cuts = [[piece, *best[at + len(piece)]] for piece in fitting(costs, text, at, mode)]
        best[at] = min(cuts, key=lambda cut: (sum(map(costs.__getitem__, cut)), -len(cut[0])))
    return best[0]


def fitting(strings: Collection[bytes], text: bytes, at: int, mode: str) -> list[bytes]:
    """The strings that fit at a place of the text, the shortest first: never none."""
    return [
        text[at:end]
        for end in range(at + 1, len(text) + 1)
        if text[at:end] in strings and may_be_a_piece(text, at, end, mode)
    ]


def may_be_a_piece(text: bytes, begin: int, end: int, mode: str) -> bool:
    inside = any(boundary(text[at - 1], text[at]) for at in range(begin + 1, end))
    if mode == "free" or not inside:
        return True
    begins = mode == "superword" or begin == 0 or boundary(text[begin - 1], text[begin])
    ends = end == len(text) or boundary(text[end - 1], text[end])
    return mode in ("superword", "strict") and begins and ends


def boundary(before: int, after: int) -> bool:
    """Whether one pretoken ends and another begins between two bytes."""
    a, b = kind(before), kind(after)
    if a in ("sign", "apostrophe"):  # as in "(the", "don't", "?'"
        return b not in ("sign", "apostrophe", "letter")
    return a not in (b, "space")  # all kinds run, and a space belongs to what follows it


def kind(byte: int) -> str:
    if byte >= 0x80 or bytes([byte]).isalpha():  # no character of UTF-8 is cut
        return "letter"
    if bytes([byte]).isdigit():
        return "digit"
    if byte == ord("'"):
        return "apostrophe"
    if byte == ord(" "):
        return "space"
    if byte in b"\n\r\t\v\f":
        return "newline"
    return "sign" if 0x21 <= byte < 0x7F else "control"
