"""Draw docs/windows.svg: cells, a string's interval, its children, its free cell: python docs/draw_windows.py"""

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

CELLS = 16
STRING = (1.0, 15.3)  # the interval of "th", in cells
CHILDREN = [("tha", 1.0, 4.4), ("the", 4.4, 10.6), ("thi", 10.6, 13.2), ("tho", 13.2, 14.1), ("…", 14.1, 14.6)]
INK, MUTED, PARENT, CHILD, FREE = "#22303c", "#8a97a3", "#cfe0f1", "#e7eef5", "#f2a541"
EXTRA = "#fbe3c0"


def interval(axes: Axes, low: float, high: float, bottom: float, label: str, colour: str) -> None:
    axes.add_patch(Rectangle((low, bottom), high - low, 0.62, facecolor=colour, edgecolor=INK, linewidth=1.1))
    axes.text((low + high) / 2, bottom + 0.31, label, ha="center", va="center", color=INK, fontsize=11)


def free_cells() -> list[int]:
    """Cells inside the string's interval and wholly inside none of its children's."""
    inside = [c for c in range(CELLS) if STRING[0] <= c and c + 1 <= STRING[1]]
    return [c for c in inside if not any(low <= c and c + 1 <= high for _, low, high in CHILDREN)]


def draw() -> plt.Figure:
    figure, axes = plt.subplots(figsize=(9.4, 3.9))
    free = free_cells()
    for cell in range(CELLS):
        colour = FREE if cell == free[0] else EXTRA if cell in free else "white"
        axes.add_patch(Rectangle((cell, 0), 1, 0.62, facecolor=colour, edgecolor=INK, linewidth=1.1))
        axes.text(cell + 0.5, 0.31, f"{cell:04b}", ha="center", va="center", fontsize=9, color=INK)
        if cell in free:
            axes.add_patch(Rectangle((cell, 0.62), 1, 2.98, facecolor=colour, alpha=0.35, edgecolor="none", zorder=0))
    for edge in range(CELLS + 1):
        axes.plot([edge, edge], [0.62, 3.6], color=MUTED, linewidth=0.5, linestyle=(0, (2, 3)), zorder=0)
    for label, low, high in CHILDREN:
        interval(axes, low, high, 1.45, label, CHILD)
    interval(axes, *STRING, 2.75, "th", PARENT)
    for bottom, label in ((0.31, "codes"), (1.76, "children"), (3.06, "string")):
        axes.text(-0.35, bottom, label, ha="right", va="center", fontsize=10, color=MUTED)
    axes.annotate(
        "first free cell: the code of “th”", xy=(free[0] + 0.5, -0.03), xytext=(free[0] + 0.5, -0.75), ha="center",
        fontsize=10.5, color=INK, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.1},
    )  # fmt: skip
    axes.text(
        free[1] + 0.5, -0.75, "other free cells: read as “th”, never written", ha="left", va="bottom", fontsize=9.5,
        color=MUTED,
    )  # fmt: skip
    axes.set_xlim(-1.9, CELLS + 0.2)
    axes.set_ylim(-1.0, 3.75)
    axes.axis("off")
    figure.tight_layout(pad=0.3)
    return figure


if __name__ == "__main__":
    plt.rcParams.update({"svg.hashsalt": "equinfo", "font.family": "DejaVu Sans"})
    draw().savefig(Path(__file__).with_name("windows.svg"), metadata={"Date": None})
