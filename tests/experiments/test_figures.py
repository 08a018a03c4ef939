"""Where names stand beside points."""

import numpy as np

from experiments.figures import spread


def test_names_keep_their_order_and_stand_a_line_apart_inside_the_frame():
    marks = np.array([[0.0, 100.0], [0.0, 98.0], [0.0, 97.0], [300.0, 50.0], [0.0, 2.0]])
    left = marks[:, 0] + 16
    heights = spread(marks, left, left + 100, line=14.0, lowest=7.0, highest=200.0)
    near = heights[[0, 1, 2, 4]]
    assert (np.diff(near) <= -14 + 1e-2).all()
    assert heights[3] == 50  # far from all others: beside its point
    assert heights.min() >= 7
