"""The report: what is there, what is missing, what holds, in one page that needs nothing else."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from equinfo.errors import EquinfoError
from experiments import fig3, figures
from experiments.experiment import Experiment, Trend
from experiments.recipes import attempts, seeds, sweep
from experiments.report import drawing, provenance
from experiments.report.markup import Html, breakable, coded, join, tag
from experiments.report.outcomes import names, outcome
from experiments.report.page import page
from experiments.rows import Row, Rows
from experiments.tables import Table

TRENDS = [
    Trend("It learns <something>", "a & b: 1 < 2", True, "1.25 < 2.5"),
    Trend("It beats all", "3 < 2", False, "3.75 > 2.5"),
    Trend("It goes on", "all sizes", None),
]
VOID = {"meta", "wbr", "br", "link", "img"}


def made(recipe, status="done", **fields):
    """A made-up row: two bytes a token, two bits a byte."""
    tokens = recipe.stream.tokens
    values = {
        "num_tokens": 500, "num_bytes": 1000, "num_ids": 500, "sum_nats": 2000 * 0.6931471805599453,
        "trained_tokens": recipe.training.tokens, "tokenizer": tokens.name, "code_size": tokens.size,
        "size": recipe.training.size, "parameters": 1000, "flops_per_byte": 1000.0, "flops_per_byte_exact": 2000.0,
        "commit": "0123456789ab", "device": "Abacus <9>", "versions": {"python": "3.12.0"},
    }  # fmt: skip
    values = {**values, **fields} if status == "done" else fields
    return Row("LM", recipe.key, "micro", status, recipe.to_dict(), recipe.training.seed, 61.0, **values)


def reduce(rows, scale):
    body = [[lm.stream.tokens.name, row and row.bits_per_byte, 1.5] for lm in lms(scale) for row in [rows.done(lm)]]
    return Table("Bits & bytes", ["tokenizer", "bits/byte, ours", "bits/byte, paper"], body, "rule `free` & all")


def lms(scale):
    return scale.lms[:3]


def draw(rows, scale, folder):
    with figures.figure() as (drawn, axes):
        axes.plot([1, 2], [1, 2], "s", color="#000000")
        axes.set_xlabel("a < b")
        axes.annotate("EqualInfoAC", (1, 1), color="#56B4E9", path_effects=[figures.withStroke(linewidth=2)])
        return figures.save(drawn, folder, "some")


SOME = Experiment("some", "figure 0", "what & why", lms, reduce, draw, lambda rows, scale: TRENDS)
NEVER = Experiment("never", "table 0", "not run", lambda scale: scale.lms[3:5], reduce)


@pytest.fixture
def results(micro, tmp_path):
    """A folder with rows of two of three runs."""
    rows = Rows(tmp_path / "micro" / "rows.jsonl")
    for lm in lms(micro)[:2]:
        rows.append(made(lm))
    return tmp_path


@pytest.fixture
def written(results, micro):
    return page([SOME, NEVER], results, [micro])


class Checker(HTMLParser):
    """Keeps the open elements, ids and references of a page; what is not closed in order is an error."""

    def __init__(self, content):
        super().__init__()
        self.open, self.ids, self.links, self.loads = [], [], [], []
        self.feed(content)
        self.close()

    def handle_starttag(self, element, attributes):
        self.handle_startendtag(element, attributes)
        if element not in VOID:
            self.open.append(element)

    def handle_startendtag(self, element, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        for name in ("href", "src", "srcset", "data", "action", "poster"):
            if name in values:
                (self.links if element == "a" else self.loads).append(values[name])

    def handle_endtag(self, element):
        assert self.open.pop() == element, (element, self.getpos())


def texts(content):
    return " ".join(re.sub(r"<[^>]*>", " ", content).split())


# -- the page ------------------------------------------------------------------------------------------------


def test_the_page_is_well_formed_and_its_links_lead_somewhere(written):
    checked = Checker(written)
    assert checked.open == []
    assert len(checked.ids) == len(set(checked.ids))
    inner = {link[1:] for link in [*checked.links, *checked.loads] if link.startswith("#")}
    assert inner <= set(checked.ids)
    assert {"some", "some-micro", "never"} <= inner | set(checked.ids)


def test_nothing_is_loaded_from_elsewhere(written):
    checked = Checker(written)
    assert [load for load in checked.loads if not load.startswith("#")] == []
    assert not re.search(r"@import|url\((?!#)|<script|<link|<iframe", written)
    assert "https://arxiv.org/abs/2404.03626" in checked.links


def test_the_same_rows_give_the_same_bytes(written, results, micro):
    assert page([SOME, NEVER], results, [micro]) == written


def test_ours_and_the_papers_stand_side_by_side(written):
    table = re.search(r'<table class="results">.*?</table>', written, re.S)[0]
    assert '<th scope="col" class="number">bits/byte, ours</th>' in table
    assert '<th scope="col" class="number theirs">bits/byte, paper</th>' in table
    assert '<td class="number">2.000</td><td class="number theirs">1.500</td>' in table


def test_a_missing_run_is_a_gap_in_the_table_and_named(written, micro):
    assert '<td class="number missing">–</td><td class="number theirs">1.500</td>' in written
    assert "1 of 3 runs not run yet" in texts(written)
    assert f"<li>{breakable(names(lms(micro))[2])}</li>" in written
    assert "make some SCALE=micro" in written


def test_where_every_run_is_there_a_dash_is_no_gap(results, micro):
    Rows(results / "micro" / "rows.jsonl").append(made(lms(micro)[2]))
    content = page([SOME], results, [micro])
    assert '<table class="results complete">' in content
    assert "not run yet" not in content


def test_the_overview_counts_runs_and_trends(written):
    overview = re.search(r'<table class="overview">.*?</table>', written, re.S)[0]
    some, never = overview.split("<tr>")[2:]
    assert "2/3" in some
    assert "runs part" in some
    assert texts(some).endswith("✓ 1 holds ✗ 1 does not ? 1 open")
    assert "–/2" in never
    assert "runs none" in never


def test_every_trend_is_shown_with_its_test_and_numbers(written):
    told = texts(re.search(r'<ul class="trends">.*?</ul>', written, re.S)[0])
    assert told == (
        "✓ holds It learns &lt;something&gt; Test: a &amp; b: 1 &lt; 2 Numbers: 1.25 &lt; 2.5"
        " ✗ does not hold It beats all Test: 3 &lt; 2 Numbers: 3.75 &gt; 2.5"
        " ? open It goes on Test: all sizes"
    )


def test_an_experiment_never_run_has_a_section_that_says_how(written):
    section = texts(written[written.index('<section id="never">') :])
    assert "Not run at any scale yet." in section
    assert "make never SCALE=micro (2 runs)" in section


def test_what_was_run_on_what(written):
    told = texts(re.search(r'<details class="provenance">.*?</details>', written, re.S)[0])
    for fact in ("Device Abacus &lt;9&gt;", "commit 0123456789ab", "Time 2 min 02 s in 2 runs", "Seeds 0 "):
        assert fact in told
    assert "6 steps of 4 × 32 ids" in told


def test_text_is_escaped_and_backticks_are_code(written):
    assert "what &amp; why" in written
    assert "<code>free</code> &amp; all" in written
    assert "<something>" not in written


def test_rows_of_another_recipe_version_are_counted(results, micro):
    path = results / "micro" / "rows.jsonl"
    path.write_text('{"version": 1}\n' + path.read_text())
    assert "1 row of another recipe version ignored" in texts(page([SOME], results, [micro]))


def test_failed_runs_are_told_from_missing_ones(results, micro):
    rows = Rows(results / "micro" / "rows.jsonl")
    for attempt in attempts(lms(micro)[2]):
        rows.append(made(attempt, status="diverged"))
    told = texts(page([SOME], results, [micro]))
    assert "1 of 3 runs failed at every attempt" in told
    assert "not run yet" not in told


def test_remarks_stand_under_the_trends(results, micro):
    (results / "remarks.json").write_text(
        json.dumps({"micro": {"some": "Too <small>.\n\nReally.", "never": "No time."}})
    )
    content = page([SOME, NEVER], results, [micro])
    assert "<h4>Why</h4><p>Too &lt;small&gt;.</p><p>Really.</p>" in content
    assert content.index("Really.") > content.index("It goes on")
    assert "<p>No time.</p>" in content


@pytest.mark.parametrize("said", ['{"micro": {"nothing": "x"}}', '{"huge": {"some": "x"}}', '{"micro": 3}', "[", "[]"])
def test_remarks_on_nothing_are_an_error(results, micro, said):
    (results / "remarks.json").write_text(said)
    with pytest.raises(EquinfoError, match=re.escape("remarks.json")):
        page([SOME], results, [micro])


def test_an_experiment_that_fails_is_not_hidden(results, micro):
    broken = replace(SOME, reduce=lambda rows, scale: 1 // 0)
    with pytest.raises(ZeroDivisionError) as caught:
        page([broken], results, [micro])
    assert caught.value.__notes__ == ["in experiment some at scale micro"]


def test_the_main_result_has_a_page(results, micro):
    content = page([fig3.EXPERIMENT], results, [micro])
    assert Checker(content).open == []
    assert "inference MFLOPs / byte" in content


# -- its parts -----------------------------------------------------------------------------------------------


def test_markup_escapes_text_and_keeps_markup():
    assert tag("p", "a<b", tag("b", "c"), None, ["d", Html("&amp;")]) == "<p>a&lt;b<b>c</b>d&amp;</p>"
    assert tag("a", class_='"x"', aria_label="y", id=None) == '<a class="&quot;x&quot;" aria-label="y"></a>'
    assert join(["a", ["b", tag("i")]]) == "ab<i></i>"
    assert breakable("AC[v=2,<]") == "AC<wbr>[v=2,<wbr>&lt;]"
    assert coded("a `b<` c") == "a <code>b&lt;</code> c"


def test_names_tell_recipes_apart_by_what_differs(micro):
    lm = micro.lm(micro.bytes)
    assert names([lm]) == ["Bytes, M2 30k"]
    assert names(seeds(lm, 2)) == ["Bytes, M2 30k, seed 0", "Bytes, M2 30k, seed 1"]
    assert names([*sweep(lm, [0.1, 0.2]), micro.stream(micro.bytes)]) == [
        "Bytes, M2 30k, learning rate 0.1", "Bytes, M2 30k, learning rate 0.2", "Bytes, encoding",
    ]  # fmt: skip


def test_runs_wanted_twice_are_counted_once(results, micro):
    twice = replace(SOME, recipes=lambda scale: [*lms(scale), *lms(scale)])
    one = outcome(twice, micro, Rows(results / "micro" / "rows.jsonl"))
    assert (len(one.runs), one.wanted, len(one.missing)) == (2, 3, 1)


def test_text_seen_is_ids_times_bytes_a_token(micro):
    rows = [made(lms(micro)[0], trained_tokens=1_000_000, num_bytes=size) for size in (1000, 2000)]
    assert provenance.text_seen(rows)[0].startswith("2.0 MB to 4.0 MB")
    assert provenance.text_seen([replace(rows[0], type="Stream")]) == []


def test_durations():
    assert [provenance.duration(s) for s in (0.4, 59.6, 3599.9)] == ["0 s", "1 min 00 s", "1 h 00 min"]


def test_a_drawing_keeps_its_shapes_texts_and_references(results, micro):
    (svg,) = outcome(SOME, micro, Rows(results / "micro" / "rows.jsonl")).drawings
    inlined = drawing.inline(svg, "x", "A figure")
    root = ElementTree.fromstring(inlined)
    kinds = ("path", "use", "text", "clipPath")
    before = [element.tag.rsplit("}", 1)[-1] for element in ElementTree.fromstring(svg).iter()]
    after = [element.tag for element in root.iter()]
    assert [before.count(kind) for kind in kinds] == [after.count(kind) for kind in kinds]
    assert {"a < b", "EqualInfoAC"} <= {element.text for element in root.iter("text")}
    ids = {element.get("id") for element in root.iter()} - {None}
    assert ids
    assert ids == set(re.findall(r'(?:url\(|href=")#([^")]*)', inlined))
    assert all(name.startswith("x.") for name in ids)
    assert not drawing.COLOUR.search(inlined)
    assert len(inlined) < len(svg)


def test_looks_become_classes_and_colours_of_both_schemes(written):
    style = re.search(r"<style>(.*?)</style>", written, re.S)[1]
    used = set(re.findall(r"var\((--[ct][0-9a-f]{6})\)", written))
    assert used
    for block in re.findall(r":root\{(--ground[^}]*)\}", style):
        assert used <= set(re.findall(r"(--\w+):", block))
    assert set(re.findall(r'class="(k\d+)"', written)) == set(re.findall(r"^\.(k\d+)\{", style, re.M))
    assert drawing.LOOK not in written


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_stand_out_from_the_ground(scheme):
    ground = drawing.GROUND[scheme]
    for colour in [*(colour.lower() for colour, _ in figures.STYLES.values()), "#666666", "#444444"]:
        assert drawing.contrast(drawing.shade("t", colour, scheme), ground) >= 4.5
        if scheme == "dark":
            assert drawing.contrast(drawing.shade("c", colour, scheme), ground) >= 3
    for tint in ("#cfe8dd", "#e6e6e6"):  # black text stands on them
        assert drawing.contrast(drawing.shade("t", "#000000", scheme), drawing.shade("c", tint, scheme)) >= 4.5
    assert drawing.shade("c", "#ffffff", scheme) == ground
    assert drawing.contrast("#000000", "#ffffff") == pytest.approx(21)


def test_the_style_sheets_words_stand_out():
    """Every pair of a colour and its ground, in both schemes, by WCAG's measure for text."""
    css = Path(drawing.__file__).with_name("style.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part)) for part in css.split("@media", 2)[:2])
    for scheme, colours in (("light", light), ("dark", dark)):
        for kind in ("holds", "fails", "open", "gap"):
            assert drawing.contrast(colours[kind], colours[f"{kind}-ground"]) >= 4.5, (scheme, kind)
        for kind in ("muted", "link"):
            for ground in (drawing.GROUND[scheme], colours["surface"]):
                assert drawing.contrast(colours[kind], ground) >= 4.5, (scheme, kind)


def test_texts_with_a_halo_stay_text_in_svg_and_keep_it_in_png():
    with figures.figure() as (drawn, axes):
        text = axes.text(0, 0, "within", path_effects=[figures.withStroke(linewidth=2)])
        content = figures.svg(drawn)
        assert text.get_path_effects()
    assert '<g class="halo">' in content
    assert ">within</text>" in content
