"""What a tokenizer makes of a text, for the terminal: pieces, ids, bits."""

from dataclasses import dataclass

import numpy as np

from equinfo.errors import EquinfoError
from equinfo.tokenizers.base import Tokenizer

COLOURS = (44, 42, 45, 46, 43, 41)  # ANSI backgrounds, neighbours apart


@dataclass(frozen=True)
class Piece:
    """`text` that the ids `ids` stand for, together."""

    text: bytes
    ids: tuple[int, ...]


def pieces(tokenizer: Tokenizer, text: bytes) -> list[Piece]:
    """Cut the ids into the shortest runs that stand for bytes of their own.

    A run ends where the ids so far decode to a prefix of the text longer than before: one id for BPE, one window for
    equal-info windows. Streams whose ids have no bytes of their own (AC, GZip) come back as a single piece.
    """
    ids = tokenizer.encode(text)
    found: list[Piece] = []
    begun = shown = 0
    for end in range(1, len(ids) + 1):
        prefix = _decoded(tokenizer, ids[:end])
        whole = end == len(ids)
        if prefix is not None and (whole or (len(prefix) > shown and text.startswith(prefix))):
            found.append(Piece(prefix[shown:], tuple(int(i) for i in ids[begun:end])))
            begun, shown = end, len(prefix)
    return found


def _decoded(tokenizer: Tokenizer, ids: np.ndarray) -> bytes | None:
    try:
        return tokenizer.decode(ids)
    except EquinfoError:
        return None


def render(tokenizer: Tokenizer, text: bytes, colour: bool) -> str:
    """Lines to print: the pieces side by side, then each with its ids, bits and bits/byte, then the totals."""
    found = pieces(tokenizer, text)
    bits = np.log2(tokenizer.code_size)
    lines = [f"{tokenizer.name}", "".join(_painted(p, i, colour) for i, p in enumerate(found)), ""]
    for number, piece in enumerate(found):
        used = len(piece.ids) * bits
        ids = " ".join(map(str, piece.ids[:8])) + (f" ... ({len(piece.ids)} ids)" if len(piece.ids) > 8 else "")
        rate = f"{used / len(piece.text):6.2f} bits/byte" if piece.text else ""
        shown = piece if len(piece.text) <= 40 else Piece(piece.text[:37] + b"...", piece.ids)
        lines.append(f"{_painted(shown, number, colour)}  {ids}  {used:.0f} bits {rate}")
    total = sum(len(p.ids) for p in found)
    if total:
        lines += ["", f"{len(text)} bytes, {total} ids, {len(text) / total:.2f} bytes/id, "
                      f"{total * bits / len(text):.2f} bits/byte"]  # fmt: skip
    return "\n".join(lines)


def _painted(piece: Piece, number: int, colour: bool) -> str:
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in piece.text.decode("utf-8", "backslashreplace"))
    return f"\x1b[30;{COLOURS[number % len(COLOURS)]}m{text}\x1b[0m" if colour else f"[{text}]"
