"""HTML of pieces and numbers. What comes from a text, name or error passes `escape` or `shown`."""

from collections.abc import Iterable, Sequence
from html import escape

from equinfo.playground.readings import Reading
from equinfo.show import readable
from equinfo.tokenizers.spans import Span

COLOURS = 4
"""Of pieces in turn; style.css has them."""
MARKED = {" ": "eq-space", "\n": "eq-newline", "\t": "eq-tab"}
MOST_CHIPS = 2000
"""Of a list; how many more there are is said."""
LONGEST_LABEL = 40


def shown(piece: bytes) -> str:
    """A piece's text, spaces, newlines and tabs marked, what is no printable character escaped."""
    return "".join(map(_shown, piece.decode("utf-8", "surrogateescape")))


def _shown(character: str) -> str:
    if character in MARKED:
        return f'<i class="{MARKED[character]}">{character}</i>'
    text = readable(character.encode("utf-8", "surrogateescape"))
    return escape(text) if text == character else f'<i class="eq-escaped">{escape(text)}</i>'


def quoted(piece: bytes) -> str:
    """A piece as plain text in quotation marks; a long one is cut."""
    text = readable(piece)
    return f"“{text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + '…'}”"


def few(ids: Sequence[int], most: int = 8) -> str:
    """ "ids 3 1 4", the first of them where there are many."""
    more = f" … ({len(ids):,} ids)" if len(ids) > most else ""
    return f"{'id' if len(ids) == 1 else 'ids'} {' '.join(map(str, ids[:most]))}{more}"


def about(piece: bytes, span: Span) -> str:
    """One line on a piece: its text, ids, bits and bits/byte."""
    rate = f" · {span.bits / len(piece):.2f} bits/byte" if piece else ""
    return f"{quoted(piece)} · {few(span.ids)} · {span.bits:g} bits{rate}"


def chip(inner: str, label: str, classes: str, first: bool, style: str = "") -> str:
    """A list item of HTML whose `label`, plain text, shows when it is pointed at or has the focus.

    One chip of a list is a tab stop; arrow keys lead on from there (keys.js).
    """
    styled = f' style="{style}"' if style else ""
    place = f'tabindex="{0 if first else -1}" aria-label="{escape(label)}"'
    return f'<li class="{classes}" {place}{styled}>{inner}</li>'


def chips(items: Iterable[str], name: str, below: str, classes: str = "eq-pieces") -> str:
    """A list of chips over a line that their labels cover. name: plain text. below: HTML."""
    drawn = list(items)
    more = f"<li>… and {len(drawn) - MOST_CHIPS:,} more</li>" if len(drawn) > MOST_CHIPS else ""
    inner = "".join(drawn[:MOST_CHIPS]) + more
    listed = f'<ol role="list" class="{classes}" aria-label="{escape(name)}">{inner}</ol>'
    return f'<div class="eq-box">{listed}<p class="eq-about">{below}</p></div>'


def pieces(reading: Reading, with_ids: bool) -> list[str]:
    """A coloured chip for each piece; with_ids: its ids below it."""
    found = []
    for number, span in enumerate(reading.spans):
        piece = reading.piece(span)
        inner = shown(piece)
        if with_ids:
            ids = escape(few(span.ids, 4).partition(" ")[2])
            inner = f'<span class="eq-text">{inner}</span><small>{ids}</small>'
        found.append(chip(inner, about(piece, span), f"eq-chip eq-c{number % COLOURS}", not number))
    return found


def row(cells: Iterable[str], classes: str = "eq-row") -> str:
    """The first cell to the left, numbers to the right. cells: HTML."""
    name, *numbers = cells
    right = "".join(f"<span>{number}</span>" for number in numbers)
    return f'<div class="{classes}"><span>{name}</span>{right}</div>'


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain text in, the first column left and the others right."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = ""
    for name, *numbers in rows:
        cells = "".join(f"<td>{escape(number)}</td>" for number in numbers)
        body += f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    inner = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<table class="eq-table"><caption>{escape(caption)}</caption>{inner}</table>'


def note(text: str) -> str:
    return f'<p class="eq-note">{escape(text)}</p>'


def error(text: str) -> str:
    return f'<p class="eq-error" role="alert">{escape(text)}</p>'
