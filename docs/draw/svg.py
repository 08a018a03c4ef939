"""SVG in a few shapes. Colours tell light from dark by themselves, and no two of them differ by hue
alone.
"""

from html import escape
from pathlib import Path

STYLE = """
svg{--card:#fff;--ink:#1f2933;--muted:#5b6770;--line:#9aa5b1;--grey:#e9edf1;
--a:#cfe3f5;--b:#fbdcae;--c:#c9e8da;--strong:#0072b2;--loud:#c2410c}
@media(prefers-color-scheme:dark){svg{--card:#1e2129;--ink:#e6e9ee;--muted:#a7b0bb;--line:#5f6b78;--grey:#323845;
--a:#1c4a75;--b:#774a0a;--c:#1b5c48;--strong:#56b4e9;--loud:#fb923c}}
text{font-family:system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--ink)}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.muted{fill:var(--muted)}.strong{fill:var(--strong)}.loud{fill:var(--loud)}.bold{font-weight:600}
"""
SHADES = ("a", "b", "c")  # neighbours in turn
VISIBLE = {" ": "␣", "\n": "⏎", "\r": "", "\t": "⇥"}


def shown(text: str) -> str:
    """Text whose blanks can be seen."""
    return "".join(VISIBLE.get(c, c) for c in text)


class Drawing:
    """Shapes on a card. Units are pixels; y grows downward. label: what a screen reader says."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height, self.label = width, height, label
        self.parts: list[str] = []

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        fill: str = "grey",
        stroke: str = "",
        round: float = 3,
    ) -> None:
        line = f' stroke="var(--{stroke})" stroke-width="1.3"' if stroke else ""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0.1):.1f}" height="{h:.1f}"'
            f' rx="{round:g}" fill="{f"var(--{fill})" if fill else "none"}"{line}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 13,
        style: str = "",
        anchor: str = "start",
    ) -> None:
        kind = f' class="{style}"' if style else ""
        at = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{kind}{at}>{escape(text)}</text>'
        )

    def path(
        self, data: str, stroke: str = "line", width: float = 1, fill: str = "", dash: str = ""
    ) -> None:
        broken = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<path d="{data}" fill="{f"var(--{fill})" if fill else "none"}"'
            f' stroke="var(--{stroke})" stroke-width="{width:g}"{broken}/>'
        )

    def line(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        stroke: str = "line",
        width: float = 1,
        dash: str = "",
    ) -> None:
        self.path(f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}", stroke, width, "", dash)

    def svg(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g}'
            f' {self.height:g}" role="img"'
            f' width="{self.width:g}"><title>{escape(self.label)}</title><style>{STYLE}</style>'
        )
        card = f'<rect width="{self.width:g}" height="{self.height:g}" rx="6" fill="var(--card)"/>'
        return "\n".join([head, card, *self.parts, "</svg>\n"])

    def save(self, path: Path) -> None:
        path.write_text(self.svg(), encoding="utf-8")
