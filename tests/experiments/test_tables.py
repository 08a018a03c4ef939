"""Tables: three forms of the same cells."""

import csv
import io

from experiments.analysis.tables import Table, shown

TABLE = Table(
    "Title", ["name", "value"], [["a", 1.23456], ["b", None], ["c, d", 1234567]], "A note."
)


def test_markdown():
    assert TABLE.markdown().splitlines() == [
        "## Title", "", "| name | value |", "| --- | ---: |", "| a | 1.235 |", "| b | – |",
        "| c, d | 1,234,567 |", "",
        "A note.",
    ]  # fmt: skip


def test_csv_keeps_full_precision_and_gaps():
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows == [["name", "value"], ["a", "1.23456"], ["b", ""], ["c, d", "1234567"]]


def test_text_lines_up():
    lines = TABLE.text().splitlines()
    assert len({len(line) for line in lines}) == 1


def test_numbers_for_people():
    assert [shown(x) for x in (None, 0.12345, 12.345, 12345.6, 7, "x")] == [
        "–",
        "0.123",
        "12.35",
        "12,346",
        "7",
        "x",
    ]
