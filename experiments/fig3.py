"""Fig 3 / table 15: bits/byte against inference FLOPs/byte, every tokenizer, with its uniform line."""

from pathlib import Path

from experiments import figures, paper
from experiments.experiment import Experiment
from experiments.recipes import Recipe
from experiments.rows import Row
from experiments.scales import Scale
from experiments.tables import Table


def recipes(scale: Scale) -> list[Recipe]:
    return list(scale.lms)


def reduce(rows: list[Row], scale: Scale) -> Table:
    body = [
        [
            row.tokenizer,
            row.size,
            row.ratio,
            row.uniform,
            row.bits_per_byte,
            mega(row.flops_per_byte),
            mega(row.flops_per_byte_exact),
            row.ratio,
        ]
        for row in rows
    ]
    columns = ["tokenizer", "size", "ratio", "uniform", "bits/byte", "MFLOPs/byte", "exact", "bytes/step"]
    note = (
        "uniform: bits/byte of a model that knows nothing. MFLOPs/byte as the paper counts it (parameters without"
        " embeddings, M1's added where it runs); exact: every product, attention and output layer included."
    )
    return Table(f"Fig 3: bits/byte against inference FLOPs/byte ({scale.name}, {scale.corpus})", columns, body, note)


def mega(flops: float | None) -> float | None:
    return None if flops is None else flops / 1e6


def draw(rows: list[Row], scale: Scale, folder: Path) -> list[Path]:
    ours = [(mega(row.flops_per_byte) or 0.0, row) for row in rows]
    theirs = {name: [(flops, bits) for flops, bits, _ in points] for name, points in paper.points().items()}
    with figures.figure() as (drawn, axes):
        axes.set_xscale("log")
        axes.set_ylim(0.6, 8.4)
        axes.set_xlabel("inference MFLOPs / byte (M1's included where it runs)")
        axes.set_ylabel("bits / byte")
        axes.set_title(
            f"Bits/byte against inference cost — {scale.corpus} corpus, {scale.name} scale\n"
            "bars: the tokenizer's uniform line; faint: Lester et al. 2024 (25m to 2b, C4)",
            fontsize=10,
            loc="left",
        )
        figures.draw_runs(axes, ours, theirs)
        return figures.save(drawn, folder, "fig3")


EXPERIMENT = Experiment("fig3", "bits/byte against inference FLOPs/byte (the main result)", recipes, reduce, draw)
