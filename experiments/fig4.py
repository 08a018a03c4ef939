"""Fig 4: bits/byte against bytes a decoder step, with the Pareto front. Shares every run with fig 3."""

from pathlib import Path

from experiments import fig3, figures, paper
from experiments.experiment import Experiment
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table


def pareto(rows: list[Row]) -> list[Row]:
    """The rows that no other beats on both bytes/step (more) and bits/byte (less), by rising bytes/step."""
    front = [
        row
        for row in rows
        if not any(
            other.ratio >= row.ratio and other.bits_per_byte <= row.bits_per_byte and other is not row for other in rows
        )
    ]
    return sorted(front, key=lambda row: row.ratio)


def reduce(rows: list[Row], scale: Scale) -> Table:
    front = pareto(rows)
    body = [[row.tokenizer, row.size, row.ratio, row.bits_per_byte, "yes" if row in front else ""] for row in rows]
    columns = ["tokenizer", "size", "bytes/step", "bits/byte", "on the Pareto front"]
    return Table(f"Fig 4: bits/byte against bytes/step ({scale.name}, {scale.corpus})", columns, body)


def draw(rows: list[Row], scale: Scale, folder: Path) -> list[Path]:
    ours = [(row.ratio, row) for row in rows]
    theirs = {name: [(ratio, bits) for _, bits, ratio in points] for name, points in paper.points().items()}
    with figures.figure() as (drawn, axes):
        front = pareto(rows)
        axes.plot([r.ratio for r in front], [r.bits_per_byte for r in front], "--", color="#444444", lw=1, zorder=1)
        axes.set_xscale("log")
        axes.set_ylim(0.6, 8.4)
        axes.set_xticks([1, 2, 3, 4, 6, 8, 11], labels=["1", "2", "3", "4", "6", "8", "11"])
        axes.minorticks_off()
        axes.set_xlabel("bytes / decoder step")
        axes.set_ylabel("bits / byte")
        axes.set_title(
            f"Bits/byte against bytes a step — {scale.corpus} corpus, {scale.name} scale\n"
            "dashed: our Pareto front; bars: uniform lines; faint: Lester et al. 2024",
            fontsize=10,
            loc="left",
        )
        figures.draw_runs(axes, ours, theirs)
        return figures.save(drawn, folder, "fig4")


EXPERIMENT = Experiment("fig4", "bits/byte against bytes/step, with the Pareto front", fig3.recipes, reduce, draw)
