"""What a tokenizer makes of a text, for the terminal: pieces, ids, bits."""

import contextlib
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
    """Cut the ids of `text` into the shortest runs that stand for bytes of their own.

    One id for bytes and subwords (more where a character is cut), one window for equal-info windows (more where ids
    run across windows' ends), everything for streams whose ids have no bytes of their own (AC, GZip).
    """
    ids = tokenizer.encode(text)
    if tokenizer.unit is None:
        return [Piece(text, _numbers(ids))] if len(ids) else []
    runs = [ids[at : at + tokenizer.unit] for at in range(0, len(ids), tokenizer.unit)]
    try:
        return [Piece(data, _numbers(run)) for data, run in zip(tokenizer.decode_batch(runs), runs, strict=True)]
    except EquinfoError:  # a subword that is a part of a character
        return _joined(tokenizer, runs)


def _joined(tokenizer: Tokenizer, runs: list[np.ndarray]) -> list[Piece]:
    """One piece for as many runs as it takes to decode."""
    found: list[Piece] = []
    held = runs[0][:0]
    for run in runs:
        held = np.concatenate([held, run])
        with contextlib.suppress(EquinfoError):
            found.append(Piece(tokenizer.decode(held), _numbers(held)))
            held = held[:0]
    return found


def _numbers(ids: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in ids)


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
