"""The law of loss through the published runs of Hoffmann et al. 2022: python -m
experiments.chinchilla [SOURCE] [--out results/chinchilla]

SOURCE: a file or an address of the points; without it, the file that EQUINFO_CHINCHILLA names, or
else where Besiroglu et al. 2024 published them. Fits the law, draws the points anew 4,000 times,
and leaves a row and a figure, for the page that `python -m experiments report` writes. The points
are read and not kept.
"""

import argparse
import csv
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from equinfo.errors import EquinfoError, naming_files
from equinfo.files import content_hash
from equinfo.sources import located, reaching
from experiments.analysis import figures, laws
from experiments.analysis.scaling import Points, fit, intervals, redrawn
from experiments.exhibits.chinchilla import BESIROGLU, FOLDER, HOFFMANN, RESAMPLES, judged
from experiments.runs.rows import Row, Rows, provenance

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "EQUINFO_CHINCHILLA"
COMMIT = "92258837425e1b5f2851d624287f0120583a3d0e"
ADDRESS = (
    "https://raw.githubusercontent.com/epoch-research/analyzing-chinchilla/"
    f"{COMMIT}/data/svg_extracted_data.csv"
)
COLUMNS = (("parameters", "Model Size"), ("training_flop", "Training FLOP"), ("loss", "loss"))
MOST = 1 << 20  # bytes of the file: it has 30,000
LEFT_OUT = 5  # the highest losses, as Besiroglu et al.: of models far too large for their text
SHA256 = "b6d2b8655a38fc227423df8468f0bc97265b58808bada771a496e935af659ea5"
OURS, PRINTED, PAPER = ("#0072B2", "o"), ("#009E73", "D"), ("#D55E00", "s")


def read(source: str) -> Points:
    """The 245 points, by their sizes; texts in tokens, FLOP / (6 N).

    Raises EquinfoError where they cannot be read or are not those.
    """
    with naming_files(), reaching(source), located(source).open("rb") as file:
        text = file.read(MOST).decode("utf-8-sig", errors="replace")
    try:
        header, *lines = csv.reader(text.splitlines())
        at = [next(header.index(name) for name in names if name in header) for names in COLUMNS]
        cells = [[line[place] for place in at] for line in lines if line]
        # Besiroglu et al.'s file has all digits, copies of it may have six: both become these
        table = sorted(
            [float(f"{float(cell):.6g}") for cell in line] for line in cells if all(line)
        )
        held = content_hash(table)
    except (ValueError, IndexError, StopIteration, csv.Error):
        held = "no table of parameters, training_flop, loss"
    if held != SHA256:
        raise EquinfoError(
            f"{source} does not hold the 245 published points (SHA-256 of its values: {held}): take"
            f" {ADDRESS}"
        )
    sizes, flop, losses = np.array(table).T
    return Points(sizes, flop / (6 * sizes), losses)


def split(points: Points) -> tuple[Points, Points]:
    """What is fitted, and what is left out."""
    order = np.argsort(points.losses, kind="stable")
    kept, out = np.sort(order[:-LEFT_OUT]), order[-LEFT_OUT:]
    return Points(*(one[kept] for one in points)), Points(*(one[out] for one in points))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.chinchilla", description=__doc__)
    source = f"(default: what {VARIABLE} names, or {ADDRESS})"
    default = os.environ.get(VARIABLE) or ADDRESS
    parser.add_argument("source", metavar="SOURCE", nargs="?", default=default, help=source)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / FOLDER, help="a folder")
    options = parser.parse_args(arguments)
    try:
        _run(options.source, options.out)
    except (EquinfoError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(source: str, out: Path) -> None:
    # before the first file is written; where the points lie decides no number
    origin = provenance() | {"command": "python -m experiments.chinchilla"}
    begun = time.monotonic()
    points, outliers = split(read(source))
    law = fit(*points)
    found = intervals(redrawn(law, points, RESAMPLES, pairs=True))
    seconds = time.monotonic() - begun
    values = {"points": len(points.losses), "law": asdict(law), "intervals": found}
    values["judged"] = judged(law, points)
    recipe = {"sha256": SHA256, "left_out": LEFT_OUT, "resamples": RESAMPLES}
    key = content_hash(recipe)[:16]
    row = Row("Law", key, "published", "done", recipe, 0, seconds, values=values, **origin)
    shown = [
        laws.Fitted("ours", law, OURS, points, found),
        laws.Fitted("Besiroglu et al.", BESIROGLU.law, PRINTED, None, BESIROGLU.intervals),
        laws.Fitted("Hoffmann et al.", HOFFMANN.law, PAPER, points),
    ]
    with figures.figure(14.5, 5.4) as (drawn, axes):
        axes.remove()
        contours = laws.draw(drawn, shown, text="tokens of text", loss="nats / token")
        contours.plot(outliers.sizes, outliers.texts, "x", color="#666666", ms=5)
        figures.heading(drawn, "Runs of Hoffmann et al. 2022; crosses: left out of the fit")
        (figure,) = figures.save(drawn, out, "laws")
    Rows(out / "rows.jsonl").append(row)
    print(f"{law}\n{out / 'rows.jsonl'}, {figure}")


if __name__ == "__main__":
    sys.exit(main())
