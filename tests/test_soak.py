"""A few trials of each part of `python -m benchmarks.soak`, by the functions that do millions."""

import importlib.util
import json
import random
import subprocess
import sys

import audit
import pytest

from benchmarks import mutations, trials
from benchmarks.soak import __main__ as soak
from benchmarks.soak import damage, decoders, faults, readers

# one of each way to decode: looked up, subword, archive, coder, windows, texts of equal length
FEW = ["bytes", "unigram", "gzip12", "zstd8", "xz12", "ac-static-12", "ac-counts-8"]
FEW += ["equalinfo-static-24-12", "equal-text", "small cased", "small compiled-halves"]


def failures(trial, seeds):
    found = {seed: trial(seed) for seed in seeds}
    return {seed: what for seed, what in found.items() if trials.is_failure(what)}


def test_decoders_refuse_hostile_ids_or_give_one_text(monkeypatch):
    monkeypatch.setattr(decoders, "names", lambda: FEW)
    assert failures(decoders.trial, range(400)) == {}


def test_readers_refuse_hostile_files_or_read_them_twice_alike(monkeypatch):
    monkeypatch.setattr(readers, "BOMBS", 0)
    assert failures(readers.trial, range(400)) == {}


def test_what_is_damaged_is_refused_or_the_same():
    assert failures(damage.trial, range(300)) == {}


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs equinfo[soak]")
def test_guided_inputs_are_refused_or_read():
    found = soak.run("guided", 0, 200, 1)
    assert found.total() >= 200
    assert not any(found[kind] for kind in trials.FAILURES)


@pytest.mark.parametrize(
    ("fault", "name"), [("kill", "tokenize"), ("full", "rows"), ("two", "rows")]
)
def test_a_fault_loses_nothing_and_the_next_run_ends_as_any_other(fault, name):
    found = faults.guarded(lambda: getattr(faults, f"_{fault}")(name, random.Random(1)))
    assert not trials.is_failure(found)


def test_kernels_check_their_bounds_when_they_are_asked_to():
    code = (
        "from equinfo.compress.jit import kernel; import numpy as np\n"
        "print(kernel(lambda array, at: array[at])(np.zeros(2), 5))"
    )
    with soak.environment(soak.BOUNDS | {"NUMBA_CACHE_DIR": ""}):
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
    assert run.stderr.endswith(f"IndexError: {trials.BEYOND}\n")


def test_an_error_that_hides_an_access_beyond_an_array_is_a_crash():
    def raised(cause):
        try:
            with readers.equinfo.artifacts.naming("the folder"):
                raise cause
        except readers.EquinfoError as error:
            return trials.refusal(error, "the folder")

    assert raised(IndexError(trials.BEYOND)).startswith("crashes: a kernel ran beyond")
    assert raised(IndexError("list index out of range")) == "refused"
    assert trials.refusal(readers.EquinfoError("no"), "the folder").startswith("wrong: it names")


def test_each_range_of_seeds_is_a_row_and_runs_once(tmp_path, monkeypatch, capsys):
    ran = []
    part = soak.Part(lambda *given: ran.append(given) or soak.Counter(refused=given[1]), 25, 10)
    monkeypatch.setattr(soak, "PARTS", {"readers": part})
    out = tmp_path / "soak.jsonl"
    monkeypatch.setattr(sys, "argv", ["soak", "--out", str(out)])
    assert soak.main() == 0
    assert soak.main() == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert ran == [(0, 10, 1), (10, 10, 1), (20, 5, 1)]
    assert [(row["part"], row["first"], row["count"]) for row in rows] == [
        ("readers", *given[:2]) for given in ran
    ]
    assert {"commit", "device", "command", "outcomes"} <= rows[0].keys()
    assert soak.table(out).splitlines()[2:] == ["| readers | 25 | 25 refused | 0 |"]


def test_what_is_said_of_security_is_what_the_rows_say():
    text = (soak.ROOT / "SECURITY.md").read_text()
    said = text.partition("<!-- soak -->\n")[2].partition("<!-- /soak -->")[0]
    assert said == (soak.table(soak.RESULTS) + "\n" if soak.RESULTS.exists() else "")


def test_a_range_that_failed_runs_again(tmp_path, monkeypatch):
    part = soak.Part(lambda *_: soak.Counter(wrong=1), 10, 10)
    monkeypatch.setattr(soak, "PARTS", {"readers": part})
    monkeypatch.setattr(sys, "argv", ["soak", "--out", str(tmp_path / "soak.jsonl")])
    assert soak.main() == 1
    assert soak.main() == 1
    assert len((tmp_path / "soak.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("output", "errors", "status", "said"),
    [
        ("", "requests.exceptions.ConnectionError: Failed to resolve", 0, "cannot be reached"),
        ("", "usage: pip-audit", 1, "pip-audit failed: usage"),
        ({"name": "a", "skip_reason": "not found"}, "", 0, "knows none of the 1"),
        ({"name": "a", "version": "1", "vulns": []}, "", 0, "none known in 1"),
        (
            {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]},
            "",
            1,
            "a 1: CVE-1, mended in 2",
        ),
    ],
)
def test_the_audit_fails_for_a_known_vulnerability_alone(output, errors, status, said):
    output = json.dumps({"dependencies": [output]}) if output else ""
    found, line = audit.verdict(output, errors)
    assert found == status
    assert said in line


def test_small_artefacts_and_the_zoo_are_all_there():
    known = set(decoders.names())
    assert {f"small {name}" for name in mutations.artifacts()} <= known
    assert {"english-64k", "equalinfo-neural-128-8"} <= known
