"""The pages of results: what is there, what is missing, what holds, from made-up rows."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from equinfo.errors import EquinfoError
from experiments.analysis import figures, findings, report
from experiments.analysis.compare import Results, Trend
from experiments.analysis.experiment import Experiment
from experiments.analysis.tables import Table, escaped
from experiments.runs.recipes import Measure, seeds
from experiments.runs.rows import Row, Rows

TRENDS = [
    Trend("It learns <something>", "a | b: 1 < 2", True, "1.25 < 2.5"),
    Trend("It beats all", "3 < 2", False, "3.75 > 2.5"),
    Trend("It goes on", "all sizes", None),
]


CHANGES = "# Changes\n\n| experiment | date | what | why | commit |\n|---|---|---|---|---|\n"


def made(recipe, bits=2.0, **fields):
    """A made-up row: two bytes a token, `bits` a byte."""
    tokens = recipe.stream.tokens
    values = {
        "num_tokens": 500, "num_bytes": 1000, "num_ids": 510,
        "sum_nats": bits * 1000 * 0.6931471805599453,
        "trained_tokens": recipe.training.tokens, "tokenizer": tokens.name,
        "code_size": tokens.size,
        "size": recipe.training.size, "parameters": 1000, "flops_per_byte": 1000.0,
        "flops_per_byte_exact": 2000.0,
        "commit": "0123456789ab", "device": "Abacus <9>", "versions": {"python": "3.12.0"},
    }  # fmt: skip
    values |= fields
    return Row(
        "LM", recipe.key, "micro", "done", recipe.to_dict(), recipe.training.seed, 61.0, **values
    )


def lms(scale):
    return scale.lms[:3]


def reduce(results):
    body = [
        [lm.stream.tokens.name, row and row.bits_per_byte, 1.5]
        for lm in lms(results.scale)
        for row in [results.done(lm)]
    ]
    return Table(
        "Bits & bytes", ["tokenizer", "bits/byte, ours", "bits/byte, paper"], body, "rule `free`"
    )


def draw(results, folder):
    with figures.figure() as (drawn, axes):
        axes.plot([1, 2], [1, 2], "s")
        return figures.save(drawn, folder, "some")


SOME = Experiment("some", "figure 0", "what & why", lms, reduce, draw, lambda results: TRENDS)
NEVER = Experiment("never", "table 0", "not run", lambda scale: scale.lms[3:5], reduce)


@pytest.fixture
def results(micro, tmp_path):
    """A folder with rows of two of three runs."""
    rows = Rows(tmp_path / "micro" / "rows.jsonl")
    for lm in lms(micro)[:2]:
        rows.append(made(lm))
    return tmp_path


def written(results, micro, *experiments):
    """The pages by name."""
    made = report.write(experiments or [SOME, NEVER], results, results / "pages", micro)
    return {path.stem: path.read_text() for path in made}


def test_the_same_rows_give_the_same_pages_and_every_link_leads_somewhere(results, micro):
    pages = written(results, micro)
    assert written(results, micro) == pages
    assert set(pages) == {"index", "some", "never"}
    for text in pages.values():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            elsewhere = {"../experiments.md", *(f"{page}.md" for page, _, _ in findings.FINDINGS)}
            assert target in elsewhere or (results / "pages" / target).exists(), target


def test_ours_and_the_papers_stand_side_by_side_and_a_missing_run_is_a_gap(results, micro):
    pages = written(results, micro)
    table = re.findall(r"^\| (?:tokenizer|---|Bytes|BPE|Unigram).*$", pages["some"], re.M)
    assert table[:5] == [
        "| tokenizer | bits/byte, ours | bits/byte, paper |",
        "| --- | ---: | ---: |",
        "| Bytes | 2.000 | 1.500 |",
        "| BPE[v=2048] | 2.000 | 1.500 |",
        "| Unigram[v=2048] | – | 1.500 |",
    ]
    assert "2 of 3 runs; `make some SCALE=micro`" in pages["some"]
    assert "1 of 3 runs have no row</summary>\n\n- LM Unigram[v=2048] 30k" in pages["some"]
    assert "![Bits &#38; bytes](../micro/some.svg)" in pages["some"]
    assert "Not run yet." in pages["never"]


def test_every_trend_is_there_with_its_test_and_numbers(results, micro):
    pages = written(results, micro)
    lines = [
        "- **✓ holds:** It learns &#60;something&#62;",
        "- Test: a &#124; b: 1 &#60; 2",
        "- Numbers: 1.25 &#60; 2.5",
    ]
    assert "\n    ".join(lines) + "\n" in pages["some"]
    assert "- **✗ fails:** It beats all" in pages["some"]
    assert "- **? open:** It goes on\n    - Test: all sizes\n" in pages["some"]
    assert "| ✗ fails | It beats all | 3.75 &#62; 2.5 | [some](some.md) |" in pages["index"]
    assert "1 ✓, 1 ✗, 1 ?" in pages["index"]


def test_what_was_run_names_device_commit_seed_and_recipe(results, micro):
    told = written(results, micro)["some"].split("What was run")[1]
    assert "- Devices: Abacus &#60;9&#62;" in told
    assert (
        f"| LM Bytes 30k | 768 | 0.005 | 0 | 0123456789ab | 1.017 | {lms(micro)[0].key} |" in told
    )


def test_pages_of_experiments_that_are_no_more_go_and_rows_of_another_version_are_counted(
    results, micro
):
    path = results / "micro" / "rows.jsonl"
    path.write_text('{"version": 1}\n' + path.read_text())
    written(results, micro)
    pages = written(results, micro, SOME)
    assert sorted(path.name for path in (results / "pages").iterdir()) == ["index.md", "some.md"]
    assert "1 rows of another recipe version are left out." in pages["index"]


def test_remarks_and_changes_stand_on_their_page(results, micro, monkeypatch):
    monkeypatch.setitem(report.SCALES, "micro", micro)
    (results / "remarks.json").write_text(
        '{"micro": {"some": "Too `small`.", "never": "No time."}}'
    )
    (results / "changes.md").write_text(
        CHANGES
        + "| some | 2026-11-29 | other steps | too few | ab12 |\n"
        + "| all | 2026-11-29 | whole intervals | points held | ab12 |\n"
    )
    pages = written(results, micro)
    changes = "## Changes\n\n- 2026-11-29: other steps. Why: too few (ab12)."
    assert f"## Remarks\n\nToo `small`.\n\n{changes}\n\n<details" in pages["some"]
    assert "## Remarks\n\nNo time." in pages["never"]
    everywhere = "- 2026-11-29: whole intervals. Why: points held (ab12)."
    assert f"## Changes of all tests\n\n{everywhere}\n" in pages["index"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("remarks.json", '{"cpu": {"nothing": "x"}}'),
        ("remarks.json", '{"huge": {"some": "x"}}'),
        ("remarks.json", '{"cpu": 3}'),
        ("remarks.json", "["),
        ("changes.md", CHANGES + "| nothing | 2026-11-29 | what | why | ab12 |\n"),
    ],
)
def test_what_people_wrote_of_nothing_is_an_error(results, micro, name, text):
    (results / name).write_text(text)
    with pytest.raises(EquinfoError, match=re.escape(name)):
        written(results, micro)


def test_an_experiment_that_fails_is_not_hidden(results, micro):
    broken = replace(SOME, reduce=lambda results: 1 // 0)
    with pytest.raises(ZeroDivisionError) as caught:
        written(results, micro, broken)
    assert caught.value.__notes__ == ["in experiment some at scale micro"]


def test_escaped_text_stays_text():
    import markdown

    text = r"a<b> | *c* _d_ `e` $f$ ~g~ \h [i](j) & k[b=12,v=4096]"
    html = markdown.markdown(f"| x |\n| --- |\n| {escaped(text)} |", extensions=["tables"])
    cell = re.search(r"<td>(.*)</td>", html)[1]
    assert not re.search(r"<(?!td|/td)", cell)
    assert re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), cell.replace("&amp;", "&")) == text


# -- findings ------------------------------------------------------------------------------------


def seeded(rows, lm, *bits):
    for recipe, value in zip(seeds(lm, len(bits)), bits, strict=True):
        rows.append(made(recipe, value))


def test_findings_without_rows_say_so(micro, tmp_path):
    found = findings.findings(Results(Rows(tmp_path / "rows.jsonl"), micro))
    assert len(found) == 10
    assert all(one.text.endswith(": not run yet.") and one.agrees is None for one in found)


def test_a_file_quotes_the_findings_and_keeps_the_rest(micro, tmp_path):
    results = Results(Rows(tmp_path / "rows.jsonl"), micro)
    whole = report.Whole(results, [], findings.findings(results), "")
    path = tmp_path / "README.md"
    path.write_text("a\n<!-- results -->\nold\n<!-- end -->\nb\n")
    for _ in range(2):
        report.quote(path, report.headline(whole))
    before, text, after = re.fullmatch(
        "(.*)<!-- results -->\n(.*)\n<!-- end -->(.*)", path.read_text(), re.S
    ).groups()
    assert (before, after) == ("a\n", "\nb\n")
    assert text.startswith("M2s on bytes against M1 alone: not run yet. ")
    assert "M2s: 30k (768 ids), 50k (768 ids); 2 seeds" in text
    path.write_text("nothing")
    with pytest.raises(EquinfoError, match="no lines"):
        report.quote(path, "x")


@pytest.mark.parametrize(
    ("windows", "words", "agrees"),
    [
        (
            (1.9, 1.902),
            "has 0.100 ± 0.006 bits/byte less than one on bytes (1.901 against 2.001).",
            True,
        ),
        (
            (2.1, 2.102),
            "has 0.100 ± 0.006 bits/byte more than one on bytes (2.101 against 2.001).",
            False,
        ),
        ((1.9, 2.2), "± 1.9", None),
    ],
)
def test_the_main_finding_says_which_way_it_went_and_whether_that_is_decided(
    micro, tmp_path, windows, words, agrees
):
    rows = Rows(tmp_path / "rows.jsonl")
    seeded(rows, micro.lm(micro.contest[1], micro.base), *windows)
    seeded(rows, micro.lm(micro.bytes, micro.base), 2.0, 2.002)
    text, decided = findings.windows_to_bytes(Results(rows, micro))
    assert words in text
    assert decided is agrees
    assert ("too few runs to decide" in text) == (agrees is None)


def test_the_share_that_decodes_has_clopper_and_pearsons_interval(micro):
    recipe = Measure("decoding", micro.stream(micro.bytes), 1)
    values = {"documents": 100, "wrong_documents": 100}
    row = Row("Measure", recipe.key, "micro", "done", {}, 0, 1.0, values=values)
    assert findings.share(row) == "0.0 % (0.0 to 3.6 %)"  # 1 - 0.025 ** (1 / 100)


def test_one_seed_of_two_is_not_run_yet(micro, tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    seeded(rows, micro.lm(micro.contest[1], micro.base), 1.9)
    seeded(rows, micro.lm(micro.bytes, micro.base), 2.0, 2.002)
    assert findings.windows_to_bytes(Results(rows, micro)) is None


def test_pages_are_written_without_torch(tmp_path):
    root = Path(report.__file__).resolve().parents[2]
    code = (
        "import sys; from experiments.__main__ import main;code = main(['report', '--results',"
        " sys.argv[1]]); sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "not run yet" in (tmp_path / "pages" / "index.md").read_text()
