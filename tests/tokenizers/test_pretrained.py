"""What ships with the package: found by name, lossless on any text, with cards that are true."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import equinfo
from equinfo.artifacts import PRETRAINED, pretrained
from equinfo.compress.models.base import load_model
from equinfo.corpora import load_corpus
from equinfo.errors import EquinfoError
from equinfo.tokenizers.registry import pretrained_tokenizers

NAMES = pretrained_tokenizers()
CODES = {
    "english-16k": 1 << 14,
    "english-32k": 1 << 15,
    "english-64k": 1 << 16,
    "english-equalinfo16": 1 << 16,
}
ROWS = Path(__file__).parents[2] / "results" / "pretrained.jsonl"
OTHERS = [
    "Im Anfang schuf Gott Himmel und Erde. Und die Erde war wüst und leer.".encode() * 20,
    "起初，神创造天地。地是空虚混沌，渊面黑暗。".encode() * 20,
    "В начале сотворил Бог небо и землю.".encode() * 20,
    b"def f(x):\n\treturn {'a': x ** 2, \"b\": [1, 2, 3]}  # 0x7f\n" * 20,
    np.random.default_rng(0).bytes(20_000),
    bytes(range(256)) * 3,
    b" " * 1000 + b"\n" * 1000 + b"a" * 70_000,
    b"",
]


@pytest.fixture(params=NAMES, scope="module")
def tokenizer(request):
    return equinfo.load(request.param)


def test_all_that_the_readme_promises_are_there():
    assert set(NAMES) == set(CODES)
    assert {name: equinfo.load(name).code_size for name in NAMES} == CODES


@pytest.mark.parametrize("corpus", ["bundled", "imdb", "books"])
def test_english_comes_back(tokenizer, corpus):
    if corpus != "bundled" and "EQUINFO_CORPORA" not in os.environ:
        pytest.skip("EQUINFO_CORPORA does not say where the corpora are")
    documents = list(itertools.islice(load_corpus(corpus).documents("validation"), 500))
    assert tokenizer.decode_batch(tokenizer.encode_batch(documents)) == documents


def test_anything_comes_back(tokenizer):
    ids = tokenizer.encode_batch(OTHERS)
    assert tokenizer.decode_batch(ids) == OTHERS
    assert all((a == tokenizer.encode(d)).all() for a, d in zip(ids, OTHERS, strict=True))


def test_any_ids_are_text(tokenizer):
    ids = np.random.default_rng(1).integers(0, tokenizer.code_size, 5000)
    assert isinstance(tokenizer.decode(ids), bytes)


@pytest.mark.parametrize("name", pretrained())
def test_rows_and_cards_are_of_what_ships(name):
    rows = [row for row in map(json.loads, ROWS.read_text().splitlines()) if row["name"] == name]
    outside = {"bundled", "python"} if name in NAMES else set()
    assert {row["corpus"] for row in rows} == {"imdb", "books"} | outside
    stored = json.loads((PRETRAINED / name / "artifact.json").read_text())["hash"]
    shipped = equinfo.load(name).fingerprint if name in NAMES else stored
    assert shipped == stored
    card = (PRETRAINED / f"{name}.md").read_text()
    for row in rows:
        assert row["fingerprint"] in card
        shown = (
            row["bytes"] / row["tokens"]
            if "tokens" in row
            else 8 * row["coded_bytes"] / row["bytes"]
        )
        assert f"| {row['corpus']} | {shown:.{3 if 'tokens' in row else 4}f} |" in card


@pytest.mark.parametrize("name", [name for name in pretrained() if name not in NAMES])
def test_byte_models_are_found_by_name(name):
    assert load_model(name).parameters > 3_000_000


def test_no_torch_and_no_network(tmp_path):
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        "def offline(event, args):\n    if event.startswith('socket.'):\n        raise"
        " OSError(event)\n"
        "sys.addaudithook(offline)\nimport equinfo\n"
        f"for name in {NAMES}:\n"
        "    made = equinfo.load(name)\n    assert made.decode(made.encode('A fine film.')) =="
        " b'A fine film.'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    equinfo.load("bytes").save("english-64k")
    assert equinfo.load("english-64k").name == equinfo.load("bytes").name


def test_unknown_names_are_told_the_known_ones():
    with pytest.raises(EquinfoError, match="english-64k"):
        equinfo.load("english-65k")
    with pytest.raises(EquinfoError, match="no tokenizer"):
        equinfo.load("../pretrained/english-64k")
