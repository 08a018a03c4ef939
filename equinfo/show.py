"""What tokenizers make of a text, for the terminal; several side by side (the paper's Fig. 9)."""

import unicodedata
from collections.abc import Sequence

from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.spans import Span
from equinfo.tokenizers.utf8 import Text, as_bytes

COLOURS = (44, 42, 45, 46, 43, 41)  # ANSI backgrounds, neighbours apart
LONGEST = 40  # bytes of a piece in the detailed view
MIN_COLUMNS = 20


def render(tokenizer: Tokenizer, text: Text, colour: bool) -> str:
    """Lines to print: the pieces side by side, each with its ids, bits and bits/byte, totals."""
    text = as_bytes(text)
    found = tokenizer.spans(text)
    shown = [readable(text[span.start : span.end]) for span in found]
    painted = "".join(_painted(piece, n, colour) for n, piece in enumerate(shown))
    lines = [tokenizer.name, painted, ""]
    lines += [_detail(text, span, n, colour) for n, span in enumerate(found)]
    if found:
        lines += ["", _totals(tokenizer, text, found)]
    return "\n".join(lines)


def render_several(
    tokenizers: Sequence[Tokenizer], text: Text, colour: bool, columns: int = 100
) -> str:
    """A block for each tokenizer: its name, its pieces wrapped to `columns`, its totals below."""
    text = as_bytes(text)
    margin = max(len(tokenizer.name) for tokenizer in tokenizers) + 2
    width = max(columns - margin, MIN_COLUMNS)
    blocks = []
    for tokenizer in tokenizers:
        found = tokenizer.spans(text)
        pieces = [readable(text[span.start : span.end]) for span in found]
        lines = [*_wrapped(pieces, width, colour), _totals(tokenizer, text, found)]
        names = [tokenizer.name, *[""] * (len(lines) - 1)]
        rows = zip(names, lines, strict=True)
        blocks.append("\n".join(f"{name:{margin}}{line}" for name, line in rows))
    return "\n\n".join(blocks)


def readable(piece: bytes) -> str:
    """As text; what is no UTF-8 or would move the cursor is escaped."""
    decoded = piece.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in decoded)


def _detail(text: bytes, span: Span, number: int, colour: bool) -> str:
    piece = text[span.start : span.end]
    ids = " ".join(map(str, span.ids[:8]))
    if len(span.ids) > 8:
        ids += f" ... ({len(span.ids)} ids)"
    rate = f"{span.bits / len(piece):6.2f} bits/byte" if piece else ""
    shown = piece if len(piece) <= LONGEST else piece[: LONGEST - 3] + b"..."
    return f"{_painted(readable(shown), number, colour)}  {ids}  {span.bits:.0f} bits {rate}"


def _totals(tokenizer: Tokenizer, text: bytes, found: list[Span]) -> str:
    total = sum(len(span.ids) for span in found)
    if not total or not text:
        return f"{len(text)} bytes, {total} ids"
    bits = sum(span.bits for span in found)
    opaque = " (no id has bytes of its own)" if tokenizer.ends_itself else ""
    return (
        f"{len(text)} bytes, {total} ids, {len(text) / total:.2f} bytes/id,"
        f" {bits / len(text):.2f} bits/byte{opaque}"
    )


def _wrapped(pieces: list[str], width: int, colour: bool) -> list[str]:
    """The painted pieces in lines of at most `width` columns; a piece longer than a line is cut."""
    lines = []
    line = ""
    left = width
    frame = 0 if colour else 2
    for number, piece in enumerate(pieces):
        for part in _cut(piece, width - frame):
            size = _columns(part) + frame
            if size > left:
                lines.append(line)
                line = ""
                left = width
            line += _painted(part, number, colour)
            left -= size
    return [*lines, line]


def _cut(piece: str, width: int) -> list[str]:
    """Parts of at most `width` columns."""
    parts = [""]
    size = 0
    for character in piece:
        size += _columns(character)
        if size > width:
            parts.append("")
            size = _columns(character)
        parts[-1] += character
    return parts


def _columns(text: str) -> int:
    """Columns that `text` takes in a terminal."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _painted(piece: str, number: int, colour: bool) -> str:
    return f"\x1b[30;{COLOURS[number % len(COLOURS)]}m{piece}\x1b[0m" if colour else f"[{piece}]"
