"""An arithmetic coder over a real M1: intervals that narrow, and the bits that each byte costs."""

import math
from fractions import Fraction

import numpy as np
from svg import SHADES, Drawing, shown

from equinfo.compress.models import ByteModel, StaticModel, load_model, rows_after
from equinfo.corpora import load_corpus

TEXT = "In the beginning God created the heaven and the earth."
WORD = b"the "
WIDTH, MARGIN = 760, 44


def m1() -> ByteModel:
    """The network that ships with the package."""
    return load_model("english-m1-windows")


def counted() -> ByteModel:
    """Byte frequencies of the bundled text, the same everywhere."""
    return StaticModel.unigram(load_corpus("bundled").documents("train"))


def edges(row: np.ndarray) -> list[Fraction]:
    """Where each symbol's share of [0, 1) begins, and the end."""
    total = np.concatenate([[0], np.cumsum(row, dtype=np.int64)])
    return [Fraction(int(edge), int(total[-1])) for edge in total]


def narrowing(model: ByteModel, word: bytes) -> list[tuple[Fraction, Fraction, list[Fraction]]]:
    """(low, width, the shares below) of each prefix of `word`, the empty one first."""
    low, width, found = Fraction(0), Fraction(1), []
    for size in range(len(word) + 1):
        shares = edges(rows_after(model, [word[:size]])[0])
        found.append((low, width, shares))
        if size < len(word):
            byte = word[size]
            low, width = low + width * shares[byte], width * (shares[byte + 1] - shares[byte])
    return found


def shortest(low: Fraction, width: Fraction) -> str:
    """The fewest binary digits all of whose continuations lie in [low, low + width)."""
    for size in range(64):
        number = math.ceil(low * 2**size)
        if Fraction(number + 1, 2**size) <= low + width:
            return f"{number:0{size}b}" if size else ""
    raise ValueError("the interval is too narrow")


def intervals() -> Drawing:
    """One bar a byte: each is the chosen share of the bar above, enlarged."""
    steps = narrowing(m1(), WORD)
    out = Drawing(
        WIDTH,
        96 * len(steps) - 2,
        "The interval of “the ”, narrowed byte by byte by the shipped M1",
    )
    span = WIDTH - 2 * MARGIN
    for depth, (low, width, shares) in enumerate(steps):
        top = 34 + 96 * depth
        prefix = shown(WORD[:depth].decode())
        before = f"“{prefix}”" if prefix else "nothing yet"
        out.text(
            MARGIN, top - 8, f"after {before}: {float(low):.8f} + {float(width):.3g}", 12.5, "muted"
        )
        if depth == len(steps) - 1:
            digits = shortest(low, width)
            out.box(MARGIN, top, span, 30, "b")
            out.text(
                WIDTH / 2,
                top + 20,
                f"0.{digits}…  names it: {len(digits)} bits",
                14,
                "mono bold",
                "middle",
            )
            continue
        _bar(out, top, span, shares, WORD[depth])
    return out


def _bar(out: Drawing, top: float, span: float, shares: list[Fraction], chosen: int) -> None:
    for byte in range(257):
        x, w = MARGIN + span * float(shares[byte]), span * float(shares[byte + 1] - shares[byte])
        if w < 0.7:
            continue
        out.box(x, top, w - 0.5, 30, "b" if byte == chosen else ("grey", "a")[byte % 2], round=1)
        if w > 11 and byte < 256:
            out.text(
                x + w / 2,
                top + 20,
                shown(chr(byte)),
                13,
                "mono bold" if byte == chosen else "mono",
                "middle",
            )
    x, w = MARGIN + span * float(shares[chosen]), span * float(shares[chosen + 1] - shares[chosen])
    bits = -math.log2(w / span)
    out.text(x + w / 2, top + 46, f"{w / span:.1%}, {bits:.1f} bits", 12, "loud bold", "middle")
    below = top + 66
    out.path(
        f"M{x:.1f} {top + 31}L{MARGIN} {below}M{x + w:.1f} {top + 31}L{MARGIN + span} {below}",
        "line",
        dash="3 3",
    )


def costs(model: ByteModel, text: bytes) -> list[float]:
    """-log2 of the share that the model gives each byte after those before it."""
    state, restart, found = model.start(1), np.zeros(1, dtype=np.bool_), []
    for byte in text:
        found.append(model.precision - math.log2(int(model.frequencies(state)[0][byte])))
        model.advance(state, np.array([byte]), restart)
    return found


def bits() -> Drawing:
    """A bar a byte: what M1 makes it cost; a tick: what counted frequencies do."""
    text = TEXT.encode()
    network, fixed = costs(m1(), text), costs(counted(), text)
    out = Drawing(
        WIDTH, 262, "Bits of each byte of a sentence under a network and under byte frequencies"
    )
    column, floor, unit = (WIDTH - 2 * MARGIN) / len(text), 204.0, 11.0
    _scale(out, floor, unit)
    for n, byte in enumerate(text):
        x = MARGIN + n * column
        out.box(x + 1, floor - unit * network[n], column - 2, unit * network[n], "strong", round=1)
        out.line(x, floor - unit * fixed[n], x + column, floor - unit * fixed[n], "loud", 2.2)
        out.text(x + column / 2, floor + 17, shown(chr(byte)), 12.5, "mono", "middle")
    out.box(MARGIN, 236, 12, 12, "strong")
    out.text(MARGIN + 18, 247, f"M1, a network: {sum(network) / len(text):.2f} bits/byte", 13)
    out.line(MARGIN + 260, 242, MARGIN + 280, 242, "loud", 2.2)
    out.text(MARGIN + 286, 247, f"byte frequencies: {sum(fixed) / len(text):.2f} bits/byte", 13)
    return out


def _scale(out: Drawing, floor: float, unit: float) -> None:
    for value in (0, 4, 8, 12, 16):
        out.line(MARGIN, floor - unit * value, WIDTH - MARGIN, floor - unit * value, "grey")
        out.text(MARGIN - 6, floor - unit * value + 4, f"{value}", 11.5, "muted", "end")
    out.text(MARGIN - 36, 16, "bits", 11.5, "muted")


def windows() -> Drawing:
    """The same, M1 beginning anew with each window of 16 bits; a shade a window."""
    from equinfo.tokenizers.registry import load

    tokenizer, text, model = load("english-equalinfo16"), TEXT.encode(), m1()
    out = Drawing(WIDTH, 262, "Bits of each byte where M1 begins anew with each window of 16 bits")
    column, floor, unit = (WIDTH - 2 * MARGIN) / len(text), 204.0, 11.0
    _scale(out, floor, unit)
    for number, span in enumerate(tokenizer.spans(text)):
        x, w = MARGIN + span.start * column, (span.end - span.start) * column
        out.box(x + 0.5, 22, w - 1, floor + 24 - 22, SHADES[number % 3], round=2)
        spent = costs(model, text[span.start : span.end])
        for n, cost in enumerate(spent):
            at = x + n * column
            out.box(at + 2, floor - unit * cost, column - 4, unit * cost, "strong", round=1)
            out.text(
                at + column / 2,
                floor + 17,
                shown(chr(text[span.start + n])),
                12.5,
                "mono",
                "middle",
            )
        if w > 30:
            out.text(x + w / 2, 36, f"{sum(spent):.1f}", 12, "bold", "middle")
        out.text(
            x + w / 2, floor + 38, f"{span.ids[0]}", 10.5 if w > 36 else 9, "mono muted", "middle"
        )
    out.text(
        MARGIN, 16, "bits that M1 gives a window's bytes, at most 16; below: its id", 12, "muted"
    )
    return out
