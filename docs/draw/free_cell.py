"""A window that the paper's rule loses, with the intervals of a real M1: cells, a string, its
children, its codes.
"""

import numpy as np
from coding import edges, m1
from svg import Drawing, shown

from equinfo.compress.models import rows_after
from equinfo.compress.windows.intervals import INTERVAL
from equinfo.compress.windows.windows import WindowCoder

BITS = 10
STRING = b"he"  # a window of "heaven"
WIDTH, MARGIN, SIDE = 760, 90, 16


def interval(string: bytes) -> tuple[float, float]:
    """(low, end) in cells, as the free-cell coder deals them out: whole cells to a byte, one kept,
    then shares.
    """
    coder = WindowCoder(m1(), BITS)
    roots = np.zeros(256, dtype=INTERVAL)
    coder.root_intervals(roots)
    root, unit = roots[string[0]], 1 << coder.model.precision
    low, width = root["low"][0] / unit, (int(root["m"]) << int(root["e"])) / unit
    for size in range(1, len(string)):
        shares = edges(rows_after(coder.model, [string[:size]])[0])
        below, above = float(shares[string[size]]), float(shares[string[size] + 1])
        low, width = low + width * below, width * (above - below)
    return low, low + width


def children(string: bytes) -> list[tuple[int, float, float]]:
    """(byte, low, end) of each child."""
    low, end = interval(string)
    shares = [float(share) for share in edges(rows_after(m1(), [string])[0])]
    return [
        (b, low + (end - low) * shares[b], low + (end - low) * shares[b + 1]) for b in range(256)
    ]


def code(rule: str) -> int:
    return int(WindowCoder(m1(), BITS, rule=rule).encode([STRING])[0][0, 0])


def read(rule: str, number: int) -> bytes:
    return WindowCoder(m1(), BITS, rule=rule).decode([np.array([[number]])])[0]


def free_cells() -> list[int]:
    """Cells inside the string's interval and wholly inside none of its children's."""
    low, end = interval(STRING)
    inside = range(int(np.ceil(low)), int(np.floor(end)))
    return [c for c in inside if not any(a <= c and c + 1 <= b for _, a, b in children(STRING))]


def lost() -> Drawing:
    """The cell that the paper's rule writes lies inside a child; the first free one does not."""
    low, end = interval(STRING)
    first, last = int(np.floor(low)), int(np.ceil(end))
    cell = (WIDTH - MARGIN - SIDE) / (last - first)
    name = STRING.decode()
    out = Drawing(
        WIDTH,
        306,
        f"Cells in the interval of “{name}”, the intervals of its children, and two codes",
    )
    free, theirs, ours = free_cells(), code("paper"), code("free")

    def at(position: float) -> float:
        return MARGIN + cell * (position - first)

    for y, label in ((46, "string"), (106, "children"), (186, "codes")):
        out.text(MARGIN - 12, y + 20, label, 13, "muted", "end")
    out.box(at(low), 46, cell * (end - low), 30, "grey", "line")
    out.text(at((low + end) / 2), 66, f"“{name}”", 14, "mono bold", "middle")
    for byte, a, b in children(STRING):
        if cell * (b - a) > 1:
            out.box(at(a), 106, cell * (b - a) - 0.6, 30, "a", "line", 1)
        if cell * (b - a) > 12:
            out.text(at((a + b) / 2), 126, shown(chr(byte)), 13.5, "mono", "middle")
    for number in range(int(np.ceil(low)), int(np.floor(end))):
        fill = "b" if number in free else "c" if number == theirs else ""
        out.box(at(number) + 1, 186, cell - 2, 30, fill, "line", 2)
        out.text(
            at(number + 0.5),
            205,
            str(number),
            11,
            "mono bold" if number in (theirs, ours) else "mono",
            "middle",
        )
        out.line(at(number), 80, at(number), 184, "line", 0.6, "2 4")
    _named(out, at(ours + 0.5), at(theirs + 0.5), ours, theirs)
    held = int(np.floor(end)) - int(np.ceil(low))
    out.text(
        MARGIN, 26, f"b = {BITS}: {1 << BITS} codes, of which “{name}” holds {held}", 13, "muted"
    )
    return out


def _named(out: Drawing, ours_x: float, theirs_x: float, ours: int, theirs: int) -> None:
    """What is written by both rules, and what it is read as."""
    out.line(ours_x, 220, ours_x, 230, "strong", 1.6)
    out.line(theirs_x, 220, theirs_x, 268, "loud", 1.6)
    for x, y, rule, number, style in (
        (ours_x, 246, "free", ours, "strong"),
        (theirs_x, 284, "paper", theirs, "loud"),
    ):
        text, name = read(rule, number), {"free": "free cell", "paper": "the paper's rule"}[rule]
        lost = "" if text == STRING else ": lost"
        out.text(
            x,
            y,
            f"{name} writes {number}, read as “{shown(text.decode())}”{lost}",
            13.5,
            f"{style} bold",
        )
