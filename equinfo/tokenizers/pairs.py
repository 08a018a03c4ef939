"""Which pieces byte pair encoding never writes side by side.

Inside a pretoken a and b stand side by side only if their bytes alone become a, b: no merge crosses
them there, so none of the context has a say. As long as none does, each is put together as it is
alone; so one crosses if a piece x that a ends with and a piece y that b begins with stand there,
both not yet part of larger ones, when it is the turn of the merge of x and y. Time is the largest
rank merged so far. (Known as the test of valid pairs of the Rust crate `bpe`.)
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

MOST = 1 << 13  # ids for which a table of all pairs is made
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")  # of GPT-2: text is cut behind them
Merges = dict[tuple[int, int], tuple[int, int]]  # the pair's rank and what it becomes
Stays = list[tuple[int, float, float]]  # a piece at a border, from when, until when


def crossed(pieces: list[bytes], merges: Merges) -> tuple[np.ndarray, np.ndarray]:
    """(pairs that a merge crosses: bool[v, v], pieces that their own bytes do not become: bool[v]).

    merges: of pieces' numbers; those of the single bytes are among them.
    """
    single = {piece[0]: code for code, piece in enumerate(pieces) if len(piece) == 1}
    at_end: dict[int, Stays] = {}
    at_begin: dict[int, Stays] = {}
    never = np.zeros(len(pieces), dtype=np.bool_)
    for code, piece in enumerate(pieces):
        left, right, never[code] = _alone([single[byte] for byte in piece], merges)
        for border, found in ((left, at_begin), (right, at_end)):
            for (one, since), (_, until) in pairwise([*border, (code, math.inf)]):
                found.setdefault(one, []).append((code, since, until))
    table = np.zeros((len(pieces), len(pieces)), dtype=np.bool_)
    ends, begins = ({x: np.array(s).T for x, s in one.items()} for one in (at_end, at_begin))
    for (x, y), (rank, _) in merges.items():
        if x not in ends or y not in begins:  # pieces that no text has
            continue
        a, since_a, until_a = ends[x][:, :, None]
        b, since_b, until_b = begins[y]
        since = np.maximum(since_a, since_b)
        now = np.maximum(since, rank)
        # the pair x, y of the same rank further right comes later
        first = (now < until_b) | (until_b == rank) & (since < rank)
        table[a.astype(int), b.astype(int)] |= (now < until_a) & first
    return table, never


def _alone(codes: list[int], merges: Merges) -> tuple[list, list, bool]:
    """How bytes are merged: (what stood first and since when, what stood last, more than one?)."""
    time = -1.0
    left, right = [(codes[0], time)], [(codes[-1], time)]
    none = (math.inf, -1)
    while len(codes) > 1:
        pairs = [merges.get(pair, none) for pair in pairwise(codes)]
        at = min(range(len(pairs)), key=lambda k: pairs[k][0])
        rank, made = pairs[at]
        if rank == math.inf:
            return left, right, True
        time = max(time, rank)
        codes = [*codes[:at], made, *codes[at + 2 :]]
        if at == 0:
            left.append((made, time))
        if at == len(codes) - 1:
            right.append((made, time))
    return left, right, False


LETTER, NUMBER, SIGN, SPACE, WHITE, UNKNOWN, AMID = range(7)


def uncut(pieces: list[bytes], kind_of: Callable[[str], int]) -> np.ndarray:
    """Pairs between which GPT-2's pretokens are never cut: bool[v, v].

    kind_of: of a character, LETTER to WHITE. Where a piece holds only a part of the character that
    it ends or begins with, that is UNKNOWN, and a cut possible; but none is AMID a character.
    """
    after = np.array([_kind(piece[-4:], kind_of, -1) for piece in pieces])
    before = np.array([_kind(piece[:4], kind_of, 0) for piece in pieces])
    cut = np.ones((7, 7), dtype=np.bool_)
    for one in (LETTER, NUMBER, SIGN):
        cut[one, one] = cut[SPACE, one] = False
    cut[AMID] = cut[:, AMID] = False
    table = ~cut[after[:, None], before]
    ends = {whole[at:].encode() for whole in CONTRACTIONS for at in range(len(whole))}
    contracted = [code for code, piece in enumerate(pieces) if piece in ends]
    table[contracted] &= before == AMID
    return table


def _kind(data: bytes, kind_of: Callable[[str], int], at: int) -> int:
    """Of the character that begins (at = 0) or ends (-1) a part of UTF-8."""
    leads = [k for k, byte in enumerate(data) if byte & 0xC0 != 0x80]
    if (at == 0 and leads[:1] != [0]) or not leads:
        return UNKNOWN if at else AMID
    begin, *rest = leads[at:]
    character = data[begin : rest[0] if rest else None].decode("utf-8", "ignore")
    if not character:
        return AMID if at else UNKNOWN
    return kind_of(character)
