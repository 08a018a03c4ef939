"""Where names stand beside points, how an axis breaks, and the interval over seeds."""

from itertools import pairwise

import numpy as np
import pytest

from experiments.analysis import figures
from experiments.analysis.figures import Point, levels, mean_interval, spread


def test_names_keep_their_order_and_stand_a_line_apart_inside_the_frame():
    marks = np.array([100.0, 98.0, 97.0, 50.0, 2.0])
    heights = spread(marks, line=14.0, lowest=7.0, highest=200.0)
    assert (np.diff(heights) <= -14 + 1e-9).all()
    assert heights[3] == 50  # far from all others: beside its point
    assert heights.min() >= 7
    assert heights[:3].mean() == pytest.approx(
        marks[:3].mean()
    )  # moved together, as little as can be
    assert len(spread(np.zeros(0), 14.0, 0.0, 1.0)) == 0


def test_the_axis_breaks_above_the_best_and_shows_all():
    points = [
        Point("Bytes", 1, 2.4, 0.1, 8.0),
        Point("M1 alone", 1, 2.0),
        Point("GZip[v=256]", 1, 4.2, 0, 4.3),
    ]
    low, high, top = levels(points)
    assert low < 2.0 < 2.5 < high < 4.2 < 8.0 < top
    assert levels(points[1:2])[1:] == (levels(points[1:2])[1],) * 2  # nothing above: not broken


def test_the_interval_of_a_mean_is_students():
    mean, half = mean_interval([1.0, 2.0, 3.0])
    assert (mean, half) == (2.0, pytest.approx(4.302653 / 3**0.5, rel=1e-6))
    assert mean_interval([1.5]) == (1.5, 0.0)


def test_a_figure_is_the_same_bytes_and_keeps_every_name_inside(tmp_path):
    points = [
        Point(name, 1.0, y, 0.1, 4.0) for y, name in enumerate(figures.STYLES, 2) if "," not in name
    ]
    points = [one for one in points if one.name != "EqualInfoAC"]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        with figures.figure() as (drawn, axes):
            axes.set_ylim(0, 16)
            figures.draw_runs(axes, points)
            figures.name_runs(axes, points)
            figures.save(drawn, tmp_path / folder, "some")
            boxes = [text.get_window_extent() for text in axes.texts]
            width, height = drawn.canvas.get_width_height()
    assert (tmp_path / "a" / "some.svg").read_bytes() == (tmp_path / "b" / "some.svg").read_bytes()
    assert len(boxes) == len(points)
    assert all(box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes)
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))
    assert all(f">{one.name}</text>" in (tmp_path / "a" / "some.svg").read_text() for one in points)
