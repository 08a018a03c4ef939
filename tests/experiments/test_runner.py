"""The runner: what is done is skipped, what is not is resumed, and everything that is drawn comes
from rows.
"""

import csv
import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

from equinfo.compress.models.base import fingerprint
from equinfo.errors import EquinfoError
from experiments import catalogue
from experiments.analysis.compare import Results
from experiments.catalogue import EXPERIMENTS
from experiments.runs import runner
from experiments.runs.recipes import with_training
from experiments.runs.renumbered import UsedIds
from experiments.runs.rows import Rows
from experiments.runs.runner import PIECE, OutOfTime, Runner, pieces, split_of, unigram_nats

# The main result; other kinds of run have tests of their own, and `make smoke` runs everything.
RUN = ("fig3", "fig4", "table1", "overfit")
OTHER_KINDS = (
    "table5", "fig2", "fig8", "fig9", "fig10", "fig11", "fig13", "cards", "beyond", "depths",
    "upcycled", "natural",
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(micro, tmp_path_factory):
    """(scale, folder with results/ and runs/) after RUN has run once."""
    folder = tmp_path_factory.mktemp("finished")
    recipes = [micro.m1, *catalogue.recipes_of(RUN, micro)]
    Runner(micro.name, Rows(folder / "rows.jsonl"), folder / "runs").run(recipes)
    return micro, folder


def test_every_recipe_has_a_row_with_provenance(finished):
    micro, folder = finished
    rows = Rows(folder / "rows.jsonl")
    for recipe in [micro.m1, *catalogue.recipes_of(RUN, micro)]:
        row = rows.done(recipe)
        assert row is not None
        assert row.recipe == json.loads(json.dumps(recipe.to_dict()))
        assert row.commit
        assert row.device
        assert row.versions["torch"]
    lm = rows.done(micro.lms[0])
    assert 0 < lm.bits_per_byte < 9
    assert lm.flops_per_byte_exact > lm.flops_per_byte > 0


def test_rows_hold_each_documents_nats_and_bytes(finished):
    micro, folder = finished
    rows = Rows(folder / "rows.jsonl")
    for recipe in (micro.lms[0], micro.m1):
        row = rows.done(recipe)
        assert sum(row.values["nats"]) == pytest.approx(row.sum_nats, abs=len(row.values["nats"]))
    stream = rows.done(micro.lms[0].stream)
    sizes = stream.values["bytes"]
    assert sum(stream.values["codes"]) == stream.num_tokens
    assert sum(stream.values["unigram"]) == pytest.approx(
        stream.unigram_nats, abs=0.01 * len(sizes)
    )
    assert sum(sizes) == rows.done(micro.lms[0]).num_bytes
    assert len(sizes) == len(rows.done(micro.lms[0]).values["nats"])


def test_an_m1_beside_the_rows_is_taken(finished, tmp_path, monkeypatch):
    micro, folder = finished
    made = Runner(micro.name, Rows(folder / "rows.jsonl"), folder / "runs").store.folder(micro.m1)
    shutil.copytree(made, tmp_path / "m1" / made.name)
    elsewhere = Runner(micro.name, Rows(tmp_path / "rows.jsonl"), tmp_path / "runs")
    monkeypatch.setattr(Runner, "train", lambda *_: pytest.fail("it was trained again"))
    ours = Runner(micro.name, Rows(folder / "rows.jsonl"), folder / "runs").m1(micro.m1)
    assert fingerprint(elsewhere.m1(micro.m1)) == fingerprint(ours)
    assert (elsewhere.store.folder(micro.m1) / "weights").is_dir()


def test_used_ids_charge_what_the_training_text_lacks(finished):
    micro, folder = finished
    made = Runner(micro.name, Rows(folder / "rows.jsonl"), folder / "runs")
    lm = replace(micro.lm(micro.bytes), used=True)
    train, validation = (made.stream(lm.stream, split) for split in ("train", "validation"))
    used = UsedIds(train, 259, 257)
    letters = {int(code) for ids in train.parts() for code in ids} | {257}
    assert used.vocab_size == len(letters) + 1
    assert used.numbers[sorted(letters)].tolist() == list(range(len(letters)))
    strange = used.numbers[[ord("~"), ord("a")]]
    nats = used.whole(np.array([30.0, 1.0], dtype=np.float32), strange)
    assert nats.tolist() == pytest.approx(
        [math.log((259 - len(letters)) / used.new), 1 - math.log(1 - used.new)]
    )
    counts = np.bincount(np.concatenate(list(train.parts())))
    assert used.new == max((counts == 1).sum(), 1) / counts.sum()
    row = made.run_one(lm, "")
    assert row.num_ids == validation.num_ids
    assert 0 < row.bits_per_byte < 8


def test_m1s_flops_count_where_it_runs(finished):
    micro, folder = finished
    rows = Rows(folder / "rows.jsonl").all_done(micro.lms)
    for row in rows:
        neural = row.tokenizer.startswith(("AC", "EqualInfo"))
        assert (row.m1_parameters > 0) == neural
        assert row.flops_per_byte == pytest.approx(
            2 * row.parameters / row.ratio + 2 * row.m1_parameters
        )


def test_what_is_done_is_not_repeated(finished, monkeypatch):
    micro, folder = finished
    before = (folder / "rows.jsonl").read_bytes()
    monkeypatch.setattr(Runner, "run_one", lambda *_: pytest.fail("a finished run was repeated"))
    Runner(micro.name, Rows(folder / "rows.jsonl"), folder / "runs").run(micro.lms)
    assert (folder / "rows.jsonl").read_bytes() == before


def test_lost_rows_are_made_again_from_what_is_kept(finished, tmp_path):
    """Rows gone, work kept: nothing is trained again and every number comes back."""
    micro, folder = finished
    recipes = [*(lm.stream for lm in micro.lms[:2]), *micro.lms[:2]]
    again = Runner(micro.name, Rows(tmp_path / "rows.jsonl"), folder / "runs").run(recipes)
    for row, old in zip(again, Rows(folder / "rows.jsonl").all_done(recipes), strict=True):
        assert (row.sum_nats, row.num_tokens, row.fingerprint) == (
            old.sum_nats,
            old.num_tokens,
            old.fingerprint,
        )


def test_a_run_that_diverges_leaves_a_row_without_numbers(micro, tmp_path):
    from dataclasses import replace

    recipe = micro.lms[0]
    hopeless = replace(
        recipe, training=replace(recipe.training, learning_rate=1e38, warmup_steps=1)
    )
    rows = Rows(tmp_path / "rows.jsonl")
    assert Runner(micro.name, rows, tmp_path / "runs").run([hopeless]) == []
    assert rows.done(hopeless) is None
    seeds = [rows.by_key[attempt.key].seed for attempt in hopeless.attempts()]
    assert seeds == [0, 1000, 2000]
    assert {(row.status, row.sum_nats) for row in rows.by_key.values()} == {("diverged", None)}
    assert Runner(micro.name, rows, tmp_path / "runs").run([hopeless]) == []
    assert len(rows.by_key) == 3


def test_a_failed_run_is_re_seeded_once_and_its_row_stands_for_the_recipe(
    micro, finished, monkeypatch
):
    _, folder = finished
    recipe = with_training(micro.lms[0], steps=5)
    real = Runner.train

    def failing(self, training, *arguments, **told):
        result = real(self, training, *arguments, **told)
        return result if training.seed else result | {"status": "collapsed"}

    monkeypatch.setattr(Runner, "train", failing)
    rows = Rows(folder / "rows.jsonl")
    (row,) = Runner(micro.name, rows, folder / "runs").run([recipe])
    assert (row.seed, row.status) == (1000, "done")
    assert Rows(rows.path).done(recipe) == row
    assert Rows(rows.path).by_key[recipe.key].status == "collapsed"


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in OTHER_KINDS])
def test_every_experiment_draws_from_rows_alone(finished, tmp_path, name):
    micro, folder = finished
    experiment = EXPERIMENTS[name]
    table, made = experiment.output(Results(Rows(folder / "rows.jsonl"), micro), tmp_path)
    if not table.rows:
        assert made == []
        return
    assert {path.suffix for path in made} == {".csv"} | ({".svg"} if experiment.draw else set())
    assert all(path.stat().st_size > 100 for path in made)
    with (tmp_path / f"{name}.csv").open() as file:
        lines = list(csv.reader(file))
    assert len(lines) == len(table.rows) + 1
    assert all(len(line) == len(table.columns) for line in lines)
    assert table.markdown().count("\n|") == len(table.rows) + 2


def test_figures_are_the_same_bytes_for_the_same_rows(finished, tmp_path):
    micro, folder = finished
    for run in ("a", "b"):
        EXPERIMENTS["fig3"].output(Results(Rows(folder / "rows.jsonl"), micro), tmp_path / run)
    assert (tmp_path / "a/fig3.svg").read_bytes() == (tmp_path / "b/fig3.svg").read_bytes()


def test_a_missing_run_is_a_gap_not_a_guess(finished, tmp_path):
    micro, folder = finished
    rows = Rows(folder / "rows.jsonl")
    few = Rows(tmp_path / "rows.jsonl")
    for row in rows.all_done(micro.lms[:2]):
        few.append(row)
    for name in ("fig3", "fig4"):
        table, _ = EXPERIMENTS[name].output(Results(few, micro), tmp_path)
        assert len(table.rows) == len(micro.lms)
        gaps = [line for line in table.rows if line[2] is None]
        assert len(gaps) == len(micro.lms) - 2
        assert "not run yet" in (tmp_path / f"{name}.svg").read_text() or name == "fig4"


def test_demo_ends_with_a_narrow_table_words_and_the_figure(finished, capsys):
    micro, folder = finished
    catalogue.demo(micro, folder / "demo", folder / "runs")
    out = capsys.readouterr().out.replace(micro.corpus, "corpus")
    names = ["M1 alone", "Bytes", "BPE[", "AC[v=64]", "EqualInfoAC[b=12,v=4096]"]
    assert [name for name in names if f"\nAn M2 on {name}" in out] == names[1:]
    assert all(name in out for name in [*names, "bits/byte by itself", "demo.svg"])
    assert max(map(len, out.splitlines()[:-1])) <= 100
    assert (folder / "demo" / "demo.svg").exists()


def test_unknown_experiments_and_scales_name_those_that_exist(tmp_path):
    with pytest.raises(EquinfoError, match="unknown experiment 'fig99'; known: fig3"):
        catalogue.run(["fig99"], "tiny", tmp_path, tmp_path)
    with pytest.raises(EquinfoError, match="unknown scale 'huge'; known: tiny"):
        catalogue.run(["fig3"], "huge", tmp_path, tmp_path)


def test_unigram_nats_are_cross_entropy_with_add_one():
    train, validation = np.array([3, 1]), np.array([0, 1])
    expected = -np.log(4 / 6) - np.log(2 / 6)
    assert unigram_nats(train)[validation].sum() == pytest.approx(expected)


def test_what_is_tuned_on_is_never_trained_on():
    """A seventh of all pieces: of many documents, be these ever so long."""
    whole = list(pieces(split_of("bundled", "train")))
    assert max(map(len, whole)) <= PIECE
    assert b"".join(whole) == b"".join(split_of("bundled", "train"))
    parts = {split: list(split_of("bundled%7", split)) for split in ("train", "tuning")}
    assert parts["tuning"] == whole[6::7]
    assert sorted([*parts["train"], *parts["tuning"]]) == sorted(whole)
    assert list(split_of("bundled%7", "validation")) == list(split_of("bundled", "validation"))


def test_lines_go_to_standard_error(capsys):
    runner.say("hello")
    assert capsys.readouterr().err == "hello\n"


def test_a_corpus_too_small_says_how_many_epochs_it_would_take(micro, tmp_path):
    recipe = with_training(micro.lms[0], max_epochs=0.01)
    rows = Rows(tmp_path / "rows.jsonl")
    with pytest.raises(EquinfoError, match=r"384|768 ids to train on are .* epochs.*--epochs-ok"):
        Runner(micro.name, rows, tmp_path / "runs").run([recipe])
    (row,) = Runner(micro.name, rows, tmp_path / "runs", epochs_ok=True).run([recipe])
    assert row.status == "done"


def test_at_its_deadline_a_run_is_kept_and_goes_on(micro, tmp_path, clock):
    """Stopped in encoding and in training, again and again, it ends with the numbers of a straight
    run.
    """
    recipe = micro.lms[-1]
    straight = Runner(micro.name, Rows(tmp_path / "a.jsonl"), tmp_path / "a").run([recipe])[0]
    rows, stops = Rows(tmp_path / "b.jsonl"), 0
    while rows.done(recipe) is None:
        runner = Runner(micro.name, rows, tmp_path / "b")
        runner.deadline = clock.monotonic() + 30 * stops
        try:
            runner.run([recipe])
        except OutOfTime:
            stops += 1
    assert stops
    assert rows.done(recipe).sum_nats == straight.sum_nats
