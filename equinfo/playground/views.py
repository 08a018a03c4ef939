"""The page's views: HTML from a text and tokenizers. Texts come from browsers: `clean` them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from equinfo.compress.models.base import byte_bits
from equinfo.errors import EquinfoError
from equinfo.playground import markup
from equinfo.playground.edits import edits
from equinfo.playground.readings import (
    LONGEST,
    M1,
    Reading,
    by_character,
    clean,
    longest,
    read,
    read_all,
)
from equinfo.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from equinfo.compress.models.base import ByteModel

Tokenizers = Mapping[str, Tokenizer]

CHARTED = 400
"""Characters of the text that the chart draws, and that words are put in front of."""
LONGEST_WORD = 40
TALLEST = 16
"""Bits at the top of the chart."""


def pieces_view(tokenizers: Tokenizers, raw: str | None, with_ids: bool = False) -> str:
    """A card for each tokenizer: ids, bytes/id, bits/byte, and the text in coloured pieces."""
    readings = read_all(tokenizers, clean(raw))
    most = max(len(reading.ids) for reading in readings)
    cards = "".join(_card(reading, most, with_ids) for reading in readings)
    heads = markup.row(["", "ids", "bytes/id", "bits/byte"], "eq-row eq-heads")
    return f"{_shortened(raw, LONGEST)}{heads}{cards}"


def _card(reading: Reading, most: int, with_ids: bool) -> str:
    width = 100 * len(reading.ids) / max(most, 1)
    chips = markup.pieces(reading, with_ids)
    classes = "eq-pieces eq-with-ids" if with_ids else "eq-pieces"
    listed = markup.chips(chips, f"Pieces of {reading.label}", _family(reading), classes)
    cut = ""
    if reading.cut:
        read = len(reading.text.decode())
        cut = markup.note(f"Only the first {read:,} characters: a network runs here.")
    size = len(reading.text)
    number = len(reading.ids)
    rates = ["–", "–"]
    if size and number:
        rates = [f"{size / number:.2f}", f"{reading.bits / size:.2f}"]
    label = escape(reading.label)
    row = markup.row([label, f"{number:,}", *rates])
    meter = f'<div class="eq-meter" style="--w:{width:.2f}%"></div>'
    return f'<section class="eq-card" aria-label="{label}">{row}{meter}{listed}{cut}</section>'


def _family(reading: Reading) -> str:
    tokenizer = reading.tokenizer
    opaque = " · one piece: no id has text of its own" if tokenizer.ends_itself else ""
    return escape(f"{tokenizer.name} · {tokenizer.code_size:,} ids{opaque}")


def bits_view(tokenizers: Tokenizers, model: "ByteModel", raw: str | None, label: str) -> str:
    """The chart of bits a character, M1's and one tokenizer's, and the totals of all (Fig. 9)."""
    text = clean(raw)[:CHARTED]
    known = by_character(text, byte_bits(model, text.encode()))
    readings = read_all(tokenizers, text)
    chosen = next(reading for reading in readings if reading.label == label)
    below = escape(f"Shaded: every other piece of {label}. Drawn up to {TALLEST} bits.")
    cells = _cells(text, known, chosen)
    chart = markup.chips(cells, f"Bits of each character, {label}", below, "eq-chart")
    keys = f'<i class="eq-key-bar"></i>{M1}<i class="eq-key-step"></i>{escape(label)}'
    legend = f'<p class="eq-legend">{keys}</p>'
    return f"{_shortened(raw, CHARTED)}{legend}{chart}{_bits_table(text, sum(known), readings)}"


def _cells(text: str, known: Sequence[float], reading: Reading) -> list[str]:
    """A column a character: a bar of M1's bits, a step of the tokenizer's, the character below."""
    data = reading.text.decode()
    spent = by_character(data, reading.spent)
    sizes = [span.end - span.start for span in reading.spans]
    owners = np.repeat(np.arange(len(sizes)), sizes).tolist()  # each byte's span
    found = []
    start = 0
    for at, character in enumerate(text):
        classes = "eq-cell"
        label = f"{markup.quoted(character.encode())} · {known[at]:.2f} bits under {M1}"
        style = f"--m:{min(known[at], TALLEST):.2f}"
        inner = f'<i class="eq-bar{" eq-over" if known[at] > TALLEST else ""}"></i>'
        if at < len(data):
            piece = markup.quoted(reading.piece(reading.spans[owners[start]]))
            classes += " eq-odd" if owners[start] % 2 else ""
            label += f" · {spent[at]:.2f} by {reading.label}, in {piece}"
            style += f";--t:{min(spent[at], TALLEST):.2f}"
            inner += '<i class="eq-step"></i>'
        inner = f'<span class="eq-plot">{inner}</span><b>{markup.shown(character.encode())}</b>'
        found.append(markup.chip(inner, label, classes, not at, style))
        start += len(character.encode())
    return found


def _bits_table(text: str, known: float, readings: Sequence[Reading]) -> str:
    def line(name: str, bits: float, characters: int) -> list[str]:
        share = f"{bits / known:.2f}" if known and characters == len(text) else "–"
        return [name, f"{bits:,.0f}", f"{bits / characters:.2f}" if characters else "–", share]

    rows = [line(M1, known, len(text))]
    rows += [line(reading.label, reading.bits, len(reading.text.decode())) for reading in readings]
    return markup.table("Bits of the text", ["", "bits", "bits/char", f"× {M1}"], rows)


def prefix_view(
    tokenizers: Tokenizers, raw: str | None, first: str | None, second: str | None
) -> str:
    """What another word in front of the text does to each tokenizer's ids (Fig. 8)."""
    text = clean(raw)[:CHARTED]
    words = [clean(word, LONGEST_WORD).strip() for word in (first, second)]
    cards = "".join(_prefix_card(label, one, text, words) for label, one in tokenizers.items())
    heads = markup.row(["", "ids A", "ids B", "edits", "share"], "eq-row eq-row-4 eq-heads")
    return f"{_shortened(raw, CHARTED)}{heads}{cards}"


def _prefix_card(label: str, tokenizer: Tokenizer, text: str, words: Sequence[str]) -> str:
    text = text[: longest(tokenizer) - LONGEST_WORD - 1]  # both texts end alike
    a, b = (read(label, tokenizer, f"{word} {text}" if word else text) for word in words)
    found = edits(a.ids, b.ids)
    cells = [escape(a.label), f"{len(a.ids):,}", f"{len(b.ids):,}"]
    cells += [f"{found.distance:,}", f"{100 * found.share:.0f} %"]
    sides = ""
    for name, reading, kept in (("A", a, found.kept_a), ("B", b, found.kept_b)):
        below = f"{kept.sum():,} of {len(kept):,} ids stay"
        ids = markup.chips(_compared(reading, kept), f"{reading.label}, {name}", below)
        sides += f'<div class="eq-side"><span class="eq-side-name">{name}</span>{ids}</div>'
    row = markup.row(cells, "eq-row eq-row-4")
    return f'<section class="eq-card" aria-label="{escape(a.label)}">{row}{sides}</section>'


def _compared(reading: Reading, kept: np.ndarray) -> list[str]:
    """Chips, marked where an id does not stay: pieces, or single ids where they have no text."""
    if not reading.tokenizer.ends_itself:
        return [_marked(number, *one) for number, one in enumerate(_pieces(reading, kept))]
    ids = enumerate(zip(reading.ids, kept, strict=True))
    return [_marked(number, str(i), f"id {i}", same, "eq-id") for number, (i, same) in ids]


def _pieces(reading: Reading, kept: np.ndarray) -> Iterator[tuple[str, str, bool]]:
    """(HTML, label, whether all its ids stay) of each piece."""
    start = 0
    for span in reading.spans:
        piece = reading.piece(span)
        end = start + len(span.ids)
        yield markup.shown(piece), markup.about(piece, span), bool(kept[start:end].all())
        start = end


def _marked(number: int, inner: str, label: str, same: bool, extra: str = "") -> str:
    state, verb = ("eq-same", "stays") if same else ("eq-changed", "changes")
    return markup.chip(inner, f"{label} · {verb}", f"eq-chip {state} {extra}".strip(), not number)


def or_error(view: Callable[..., str], *values: Any) -> str:
    """The view, or the line that says why there is none."""
    try:
        return view(*values)
    except EquinfoError as error:
        return markup.error(str(error))


def written_view(prompt: str, text: str, reading: Reading | None, seconds: float) -> str:
    """A prompt and what an LM wrote after it; once it is through, numbers and pieces too."""
    body = f'<p class="eq-written"><span>{_lines(prompt)}</span><b>{_lines(text)}</b></p>'
    if reading is None:
        return body
    speed = f", {len(reading.text) / seconds:,.0f} bytes/s" if seconds > 0 else ""
    numbers = f"{len(reading.text):,} bytes in {len(reading.ids):,} ids, {seconds:.1f} s{speed}"
    pieces = markup.pieces(reading, False)
    return body + markup.chips(pieces, "Pieces of the continuation", escape(numbers))


def _lines(text: str) -> str:
    """Text as it reads, its lines kept; what is no printable character escaped."""
    return "".join(c if c in " \n\t" else markup.shown(c.encode()) for c in text)


def _shortened(raw: str | None, most: int) -> str:
    size = len(raw or "")
    return markup.note(f"Only the first {most:,} of {size:,} characters.") if size > most else ""
