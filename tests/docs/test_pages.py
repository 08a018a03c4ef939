"""What the documentation shows is what its code prints, its pictures are what the coders say, and
the site builds.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import equinfo
from benchmarks import costs

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

from run_page import agree, blocks, outputs  # noqa: E402

IMPORT = re.compile(r"^ *(?:from|import) (equinfo[\w.]*)(?: import (\w+))?", re.M)
PAGES = sorted(DOCS.rglob("*.md"))


@pytest.fixture(autouse=True)
def _quiet_and_offline(monkeypatch):
    for name, value in (
        ("TQDM_DISABLE", "1"),
        ("HF_HUB_OFFLINE", "1"),
        ("HF_DATASETS_OFFLINE", "1"),
    ):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", ["index.md", "tutorial.md", "huggingface.md", "compare.md"])
def test_a_page_prints_what_it_shows(name, tmp_path, monkeypatch):
    page = DOCS / name
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for block, printed in zip(blocks(page), outputs(page), strict=True):
        assert bool(block.output) == bool(printed), block.code
        assert block.varies or agree(block.output, printed), f"{block.code}\nprints\n{printed}"


def test_outputs_agree_but_for_last_digits_and_not_for_others():
    assert agree("2.93 bits/byte, 3 ids\n", "2.96 bits/byte, 3 ids\n")
    assert not agree("2.93 bits/byte\n", "3.13 bits/byte\n")
    assert not agree("2.93 bits/byte, 3 ids\n", "2.93 bits/byte, 4 ids\n")
    assert not agree("1.0 a\n", "1.0 b\n")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_the_names_that_a_page_gives_exist(page):
    """Read from the sources: some of these rooms take seconds to import."""
    text = page.read_text(encoding="utf-8")
    for name in set(re.findall(r"\bequinfo\.\w[\w.]*\w", text)) - {"equinfo.json", "equinfo.md"}:
        place, source = ROOT / "equinfo", dir(equinfo)
        for part in name.split(".")[1:]:
            file = next(
                (f for f in (place / part / "__init__.py", place / f"{part}.py") if f.exists()),
                None,
            )
            assert file or part in source, f"{name}: there is no {part}"
            place = place / part
            source = (
                re.findall(r"^ *(?:def |class |from .* )?(\w+)", file.read_text(), re.M)
                if file
                else []
            )
    if page.name == "equinfo.md":
        listed = ",".join(re.findall(r"members: \[(.*)\]", text))
        offered = [*re.findall(r"^::: .*\.(\w+)$", text, re.M), *listed.replace(" ", "").split(",")]
        assert [name for name in offered if not hasattr(equinfo, name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_lists_begin_after_a_blank_line(page):
    """GitHub does not ask for one, Python-Markdown does."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert not re.findall(r"^(?![-*#\s]|\d+\.).+\n(?:[-*]|\d+\.) ", text, re.M)


def test_pictures_are_what_the_code_draws(tmp_path):
    sys.path.insert(0, str(DOCS / "draw"))
    import coding
    import free_cell
    import numpy as np
    import pictures

    from equinfo.compress.models.base import fingerprint
    from equinfo.compress.windows.tree import enumerate_tree
    from equinfo.compress.windows.windows import WindowCoder
    from equinfo.tokenizers.registry import load

    for name, draw in pictures.PICTURES.items():
        assert draw().svg() == (DOCS / name).read_text(encoding="utf-8"), (
            f"{name}: python docs/draw"
        )
    assert fingerprint(coding.m1()) == load("english-equalinfo16").m1
    # the drawn intervals hold the cells that the coder's own tree says, and the page names them
    tree = enumerate_tree(WindowCoder(coding.m1(), free_cell.BITS), 1 << 16)
    first, stop = tree.cells[tree.strings.index(free_cell.STRING)]
    low, end = free_cell.interval(free_cell.STRING)
    assert (np.ceil(low), np.floor(end)) == (first, stop)
    page = (DOCS / "free-cell.md").read_text(encoding="utf-8")
    assert f"holds the cells {first} to {stop - 1}" in page
    assert f"writes {free_cell.code('paper')}," in page
    assert f"Cell {free_cell.code('free')} lies across" in page
    assert free_cell.code("free") in free_cell.free_cells()
    assert free_cell.read("paper", free_cell.code("paper")) == b"he " != free_cell.STRING


def test_the_drawn_arrows_lead_wherever_a_source_imports():
    """Read by a plain pattern; an arrow that is left out is the sum of others."""
    import rooms

    drawn = set(re.findall(r"<title>(\S+) imports (\S+)</title>", rooms.rooms().svg()))
    found = set()
    for path in [*ROOT.glob("equinfo/**/*.py"), *ROOT.glob("experiments/**/*.py")]:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package, name in IMPORT.findall(path.read_text(encoding="utf-8")):
            inside = package == "equinfo" and f"equinfo.{name}" in rooms.graph()
            found.add((module, f"equinfo.{name}" if inside else package))
    pairs = {(rooms.room(a), rooms.room(b)) for a, b in found}
    pairs = {(a, b) for a, b in pairs if a != b and a and b}

    def reached(room, arrows):
        below = {b for a, b in arrows - {rooms.AS_HF} if a == room}
        return below.union(*(reached(one, arrows) for one in below))

    for room in rooms.ROOMS:
        assert reached(room, drawn) == reached(room, pairs), room
    assert rooms.AS_HF in drawn & pairs


def test_deflates_steps_are_the_text():
    sys.path.insert(0, str(DOCS / "draw"))
    import zlib

    import deflate_stream
    import pieces

    text = pieces.verses(5000)
    for level in (1, 6, 9):
        at = 0
        for step in deflate_stream.steps(zlib.compress(text, level)):
            for _ in range(step.length if step.distance else 0):
                assert text[at] == text[at - step.distance]
                at += 1
            at += step.distance == 0
        assert at == len(text)


def test_the_free_cells_numbers_are_the_rows():
    rows = [
        json.loads(line) for line in (ROOT / "results" / "windows.jsonl").read_text().splitlines()
    ]
    ratio = {(row["corpus"], row["bits"], row["rule"]): row["ratio"] for row in rows}
    page = (DOCS / "free-cell.md").read_text(encoding="utf-8")
    for corpus in ("imdb", "books"):
        costs = [
            1 - ratio[corpus, bits, "free"] / ratio[corpus, bits, "paper"] for bits in (12, 16, 24)
        ]
        assert f"| {corpus} | " + " | ".join(f"{100 * cost:.1f} %" for cost in costs) + " |" in page


def test_the_closing_rules_numbers_are_the_rows():
    rows = [
        json.loads(line)
        for line in (ROOT / "results" / "closing_rules.jsonl").read_text().splitlines()
    ]
    never, every = (
        {row["counted"]: row for row in rows if row.get("m1_anew") == anew}
        for anew in ("never", "every")
    )
    page = (DOCS / "windows.md").read_text(encoding="utf-8")
    for counted, row in never.items():
        found = (row, every[counted])
        shares = " | ".join(
            f"{one[fill]['unigram']:.2%}".replace("%", " %")
            for one in found
            for fill in ("zeros", "text")
        )
        assert (
            f"| {row['over_ac']:.3f} | {shares} | {every[counted]['bytes_a_window']:.2f} |" in page
        ), counted
    longer = every["put-out"]["bytes_a_window"] / every["shortest"]["bytes_a_window"]
    assert f"are {longer - 1:.0%} longer windows".replace("%", " %") in page
    assert f"holds {1 / longer:.3f} of" in page


def test_the_notebook_runs(tmp_path, monkeypatch):
    from run_notebook import execute

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    path = DOCS / "notebooks" / "compare.ipynb"
    assert path.stat().st_size < 300_000
    notebook = execute(path, tmp_path)
    pictures = [
        o
        for cell in notebook.cells
        for o in cell.get("outputs", [])
        if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 3
    committed = json.loads(path.read_text(encoding="utf-8"))
    for cell, stored in zip(notebook.cells, committed["cells"], strict=True):
        shown = "".join(
            "".join(o["text"]) for o in stored.get("outputs", []) if o["output_type"] == "stream"
        )
        printed = "".join(
            "".join(o["text"]) for o in cell.get("outputs", []) if o["output_type"] == "stream"
        )
        assert agree(shown, printed)


def test_the_site_builds_without_a_warning_and_asks_nothing_of_a_network(tmp_path):
    site = tmp_path / "site"
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(site),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    fetched = re.compile(
        r"""<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//[^"'\s>]+"""
    )
    for page in site.rglob("*.html"):
        links = [
            tag
            for tag in fetched.findall(page.read_text(encoding="utf-8"))
            if 'rel="canonical"' not in tag
        ]
        assert not links, f"{page.name} fetches {links[0]}"
    assert "class PairTokenizer" in re.sub(
        r"<[^>]+>", "", (site / "extend.html").read_text(encoding="utf-8")
    )
    assert "class Windows" in re.sub(
        r"<[^>]+>", "", (site / "free-cell.html").read_text(encoding="utf-8")
    )
    assert "encode_batch" in (site / "reference" / "tokenizers.html").read_text(encoding="utf-8")
    assert (site / "results/cpu/fig3.svg").read_bytes() == (
        ROOT / "results/cpu/fig3.svg"
    ).read_bytes()
    # opened from disk, search has its index as a script and a stand-in for the worker
    assert (site / "search/search_index.js").is_file()
    assert '<script src="iframe-worker.js">' in (site / "index.html").read_text(encoding="utf-8")
    assert 'href="results/fig3.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_the_costs_are_what_the_rows_say():
    page = costs.PAGE.read_text(encoding="utf-8")
    assert costs.page(page) == page
    assert page.count("<!-- end -->") == 3
