"""Where tokenizers cut a text: side by side, Deflate's matches, and a codebook's walk."""

from functools import cache

import numpy as np
from deflate_stream import Step, steps
from svg import SHADES, Drawing, shown

from equinfo.compress import bits
from equinfo.compress.models import load_model
from equinfo.corpora import load_corpus
from equinfo.tokenizers.arithmetic import ArithmeticTokenizer
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.registry import load, tokenizer_class

TEXT = "In the beginning God created the heaven and the earth."
COLUMN, MARGIN = 13.2, 18.0
LINE = 54  # characters a line of Deflate's text


@cache
def side_by_side() -> dict[str, Tokenizer]:
    """Bytes; subwords fitted on the bundled text; two that ship with the package, and an AC
    stream.
    """
    text = list(load_corpus("bundled").documents("train"))
    return {
        "bytes": load("bytes"),
        "BPE, 4,096 strings of the King James text": tokenizer_class("bpe").train(
            text, vocab_size=4096
        ),
        "english-64k, 65,536 words and phrases": load("english-64k"),
        "english-equalinfo16, windows of 16 bits under a byte model": load("english-equalinfo16"),
        "AC, one arithmetic code for it all": ArithmeticTokenizer(load_model("english-m1"), 16),
    }


def pieces() -> Drawing:
    """A row a tokenizer; a box an id. The ids of one code for all are shown as numbers: they stand
    for no text.
    """
    tokenizers = side_by_side()
    out = Drawing(
        2 * MARGIN + COLUMN * len(TEXT), 58 * len(tokenizers) + 8, "One sentence, cut in five ways"
    )
    for row, (name, tokenizer) in enumerate(tokenizers.items()):
        top, ids = 14 + 58 * row, tokenizer.encode(TEXT)
        coded = isinstance(tokenizer, ArithmeticTokenizer)
        more = (
            "; none stands for text by itself"
            if coded
            else f", {len(TEXT) / len(ids):.1f} bytes each"
        )
        out.text(MARGIN, top + 8, name, 12.5, "bold")
        out.text(out.width - MARGIN, top + 8, f"{len(ids)} ids{more}", 12.5, "muted", "end")
        if coded:
            _numbered(out, top, ids)
            continue
        for number, span in enumerate(tokenizer.spans(TEXT)):
            x, w = MARGIN + COLUMN * span.start, COLUMN * (span.end - span.start)
            out.box(x + 0.6, top + 15, w - 1.2, 26, SHADES[number % 3])
            for n, letter in enumerate(TEXT[span.start : span.end]):
                out.text(x + COLUMN * (n + 0.5), top + 33, shown(letter), 13.5, "mono", "middle")
    return out


def _numbered(out: Drawing, top: float, ids: np.ndarray) -> None:
    width = COLUMN * len(TEXT) / len(ids)
    for number, code in enumerate(ids):
        out.box(MARGIN + width * number + 0.6, top + 15, width - 1.2, 26)
        out.text(MARGIN + width * (number + 0.5), top + 33, str(code), 13.5, "mono", "middle")


def verses(size: int) -> bytes:
    """The beginning of the bundled text, line ends as spaces."""
    first = next(iter(load_corpus("bundled").documents("train")))
    return b" ".join(first.split())[:size]


def matches() -> Drawing:
    """What libdeflate makes of a text: what it copies is boxed; the longest copy's source is
    outlined.
    """
    text, tokenizer = verses(6 * LINE), load("gzip8")
    ids = tokenizer.encode(text)
    found = steps(bits.unpack(ids.astype(np.int64), 8)[0].tobytes())
    out = Drawing(
        2 * MARGIN + COLUMN * LINE, 40 * 6 + 42, "Deflate's literals and matches in a text"
    )
    at, longest = 0, max(found, key=lambda step: step.length if step.distance else 0)
    for step in found:
        if step.distance:
            _boxed(out, at, step, "b" if step is longest else "a")
        if step is longest:
            _boxed(out, at - step.distance, step, "", "loud")
            _arrow(out, at, step)
        at += step.length
    for n, byte in enumerate(text):
        x, y = _place(n)
        out.text(x + COLUMN / 2, y + 18, shown(chr(byte)), 13.5, "mono", "middle")
    copies = [step.length for step in found if step.distance]
    parts = f"{len(text) - sum(copies)} literals and {len(copies)} copies of {sum(copies)} bytes"
    out.text(
        MARGIN, 40 * 6 + 28, f"{len(text)} bytes: {parts}; {len(ids)} ids of 8 bits", 12.5, "bold"
    )
    return out


def _place(n: int) -> tuple[float, float]:
    return MARGIN + COLUMN * (n % LINE), 12 + 40 * (n // LINE)


def _boxed(out: Drawing, first: int, step: Step, fill: str, stroke: str = "") -> None:
    """A run of the text, line by line."""
    at, stop = first, first + step.length
    while at < stop:
        end = min(stop, (at // LINE + 1) * LINE)
        x, y = _place(at)
        out.box(x + 0.6, y, COLUMN * (end - at) - 1.2, 25, fill, stroke)
        at = end


def _arrow(out: Drawing, at: int, step: Step) -> None:
    (x0, y0), (x1, y1) = _place(at), _place(at - step.distance)
    x0, x1, y1 = x0 + COLUMN * step.length / 2, x1 + COLUMN * step.length / 2, y1 + 26
    bend = (y0 + y1) / 2
    out.path(
        f"M{x0:.1f} {y0:.1f}C{x0:.1f} {bend:.1f} {x1:.1f} {bend:.1f} {x1:.1f} {y1 + 2:.1f}",
        "loud",
        1.6,
    )
    out.path(
        f"M{x1 - 4:.1f} {y1 + 7:.1f}L{x1:.1f} {y1 + 1:.1f}L{x1 + 4:.1f} {y1 + 7:.1f}", "loud", 1.6
    )


def walk() -> Drawing:
    """The strings of a codebook that begin a text, letter by letter, until none goes on."""
    tokenizer = load("english-64k")
    strings = sorted(tokenizer.dictionary.strings)
    text = "In the beginning God created"
    span = tokenizer.spans(text)[0]
    prefixes = [text[:size] for size in range(1, len(text) + 1)]
    alive = [p for p in prefixes if any(s.startswith(p.encode()) for s in strings)]
    known = set(strings)
    out = Drawing(760, 34 * (len(alive) + 1) + 58, "A codebook's walk along a text")
    for row, prefix in enumerate([*alive, prefixes[len(alive)]]):
        _step(out, 30 + 34 * row, prefix, known, strings, span.end)
    out.text(
        MARGIN,
        34 * (len(alive) + 1) + 40,
        f"piece: “{shown(text[: span.end])}”, id {span.ids[0]}",
        13.5,
        "bold",
    )
    return out


def _step(
    out: Drawing, y: float, prefix: str, known: set[bytes], strings: list[bytes], end: int
) -> None:
    data = prefix.encode()
    number = sum(s.startswith(data) for s in strings)
    chosen, is_string = len(prefix) == end, data in known
    for n, letter in enumerate(prefix):
        out.box(MARGIN + 22 * n, y - 17, 20, 25, "b" if chosen else "a" if is_string else "grey")
        out.text(MARGIN + 22 * n + 10, y, shown(letter), 14, "mono", "middle")
    what = "in the codebook" if is_string else "not in it"
    more = (
        f"{number - is_string} strings go on from here"
        if number > is_string
        else "no string goes on from here"
    )
    said = f"{what}; {more}" if number else "no string begins so: stop"
    out.text(MARGIN + 240, y, said, 13, "bold" if chosen else "muted")
