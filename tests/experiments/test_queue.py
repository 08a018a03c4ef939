"""Runs in a budget, over processes and shards: the rows are those of a straight run; one failure
stops nothing.
"""

import json
import multiprocessing
import os
from dataclasses import replace

import pytest

from equinfo.engines import ONE_THREAD
from experiments import __main__ as command
from experiments import catalogue
from experiments.analysis.experiment import Experiment
from experiments.analysis.tables import Table
from experiments.plan import queue
from experiments.plan.jobs import closure
from experiments.plan.speed import Speeds
from experiments.runs.recipes import RECIPE_VERSION, Stream, Tokens
from experiments.runs.rows import Row, Rows
from experiments.runs.runner import Runner


@pytest.fixture(autouse=True)
def _no_real_folder(monkeypatch, tmp_path):
    """Whatever a command is told or not, it finds no other results and work than a test's own."""
    monkeypatch.setattr(command, "ROOT", tmp_path / "root")
    for name in ("CUDA_VISIBLE_DEVICES", "TQDM_DISABLE", *ONE_THREAD):  # which a command may set
        monkeypatch.setenv(name, os.environ.get(name, "1" if name in ONE_THREAD else ""))


@pytest.fixture(scope="module")
def recipes(micro):
    """Two trainings of steps enough to be broken off, on streams with an M1 and without."""
    long = replace(micro.base, steps=24)
    return [micro.lm(micro.tokens("ac", 8), long), micro.lm(micro.bytes, long)]


@pytest.fixture(scope="module")
def straight(micro, recipes, tmp_path_factory):
    """Rows of one uninterrupted run of everything that `recipes` need."""
    folder = tmp_path_factory.mktemp("straight")
    rows = Rows(folder / "rows.jsonl")
    Runner(micro.name, rows, folder / "work").run(closure(recipes))
    return rows


def order(micro, recipes, folder, **options):
    return queue.Order(micro, recipes, folder / "rows.jsonl", folder / "work", **options)


def numbers(rows):
    return {
        key: (row.sum_nats, row.num_tokens, row.unigram_nats) for key, row in rows.by_key.items()
    }


def test_pieces_inside_a_deadline_end_in_the_rows_of_a_straight_run(
    micro, recipes, straight, tmp_path, clock
):
    pauses, outcome = 0, queue.Outcome(paused=True)
    while outcome.paused:
        deadline = clock.monotonic() + 60 * pauses
        outcome = queue.carry_out(order(micro, recipes, tmp_path, deadline=deadline), Speeds())
        pauses += outcome.paused
    assert pauses >= 3
    assert numbers(Rows(tmp_path / "rows.jsonl")) == numbers(straight)


def test_when_a_budget_ends_the_next_call_goes_on(micro, tmp_path, monkeypatch, capsys, clock):
    endless = micro.lm(micro.bytes, replace(micro.base, steps=1_000_000, max_epochs=1e9))
    _stand_for_everything(monkeypatch, micro, [endless])
    budgets = iter((600, 100))
    monkeypatch.setattr(
        queue, "budgeted", lambda *_: {"deadline": clock.monotonic() + next(budgets)}
    )
    arguments = ["queue", "--results", str(tmp_path), "--work", str(tmp_path / "work")]
    steps = []
    for _ in range(2):
        assert command.main(arguments) == 0
        assert "the budget ended: 1 of 2 runs to do" in capsys.readouterr().out
        (checkpoint,) = (tmp_path / "work" / "lm" / endless.key).glob("checkpoint-*")
        steps.append(checkpoint.name)
    assert steps == sorted({*steps})


def test_at_the_end_of_a_budget_what_does_not_pause_is_broken_off(micro, tmp_path, capsys):
    late = order(micro, [micro.stream(micro.bytes)], tmp_path, end=0.0)
    assert queue.in_processes(late, Speeds()).paused
    assert multiprocessing.active_children() == []
    assert "the budget ended in the middle of something" in capsys.readouterr().err
    assert not Rows(tmp_path / "rows.jsonl").by_key


def test_two_processes_and_two_shards_make_the_same_rows(micro, recipes, straight, tmp_path):
    queue.in_processes(order(micro, recipes, tmp_path, processes=2), Speeds())
    assert numbers(Rows(tmp_path / "rows.jsonl")) == numbers(straight)
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == len(straight.by_key)
    joined = ""
    for shard in ((1, 2), (2, 2)):
        machine = tmp_path / f"machine-{shard[0]}"
        assert not queue.carry_out(order(micro, recipes, machine, shard=shard), Speeds()).failed
        if (machine / "rows.jsonl").exists():
            joined += (machine / "rows.jsonl").read_text()
    (tmp_path / "joined.jsonl").write_text(joined)
    assert numbers(Rows(tmp_path / "joined.jsonl")) == numbers(straight)


def test_a_run_that_another_process_is_at_is_left_to_it(micro, tmp_path):
    streams = [micro.stream(micro.bytes), micro.stream(micro.gzips[0])]
    with order(micro, streams, tmp_path).store().running(streams[0]):
        outcome = queue.carry_out(order(micro, streams, tmp_path), Speeds())
    assert outcome.elsewhere == [streams[0].key]
    assert set(Rows(tmp_path / "rows.jsonl").by_key) == {streams[1].key}
    assert queue.carry_out(order(micro, streams, tmp_path), Speeds()).elsewhere == []


def test_what_needs_a_stream_that_another_process_makes_comes_last(micro, tmp_path):
    first, second = (micro.stream(tokens) for tokens in (micro.bytes, micro.gzips[0]))
    (lock,) = order(micro, [first], tmp_path).store().making(first)
    with lock:
        queue.carry_out(order(micro, [first, second], tmp_path), Speeds())
    assert list(Rows(tmp_path / "rows.jsonl").by_key) == [second.key, first.key]
    assert order(micro, [first], tmp_path).store().making(first) == []


def test_a_second_queue_says_so_and_leaves_and_status_counts(micro, tmp_path, monkeypatch, capsys):
    streams = [micro.stream(micro.bytes), micro.stream(micro.gzips[0])]
    _stand_for_everything(monkeypatch, micro, streams)
    places = ["--results", str(tmp_path), "--work", str(tmp_path / "work")]
    store = order(micro, streams, tmp_path).store()
    with store.lock("queue-micro-1-of-1"), store.running(streams[1]):
        assert command.main(["queue", *places, "--budget", "inf"]) == 1
        assert "another process is at the micro runs" in capsys.readouterr().err
        assert command.main(["status", *places]) == 0
    assert "0 of 2 runs done, running: Stream GZip[v=256] (0%)" in capsys.readouterr().out
    assert command.main(["queue", *places, "--budget", "inf"]) == 0
    assert command.main(["status", *places]) == 0
    assert "micro: 2 of 2 runs done, running: none, 0 hours to go" in capsys.readouterr().out


def test_a_full_disk_fails_a_run_and_keeps_the_rows_before(micro, tmp_path, monkeypatch):
    streams = [micro.stream(micro.bytes), micro.stream(micro.gzips[0])]
    run_one = Runner.run_one

    def full(self, recipe, label):
        if recipe == streams[1]:
            raise OSError(28, "No space left on device")
        return run_one(self, recipe, label)

    monkeypatch.setattr(Runner, "run_one", full)
    outcome = queue.carry_out(order(micro, streams, tmp_path), Speeds())
    assert outcome.failed == ["Stream GZip[v=256]"]
    assert set(Rows(tmp_path / "rows.jsonl").by_key) == {streams[0].key}


def test_a_run_that_fails_is_named_and_stops_no_other(micro, tmp_path, monkeypatch, capsys):
    lost = Stream(Tokens("bytes", 256, "no/such/folder", 1), "no/such/folder", 1000, 1000)
    starved = micro.lm(micro.bytes, replace(micro.base, steps=50, max_epochs=0.01))
    _stand_for_everything(monkeypatch, micro, [lost, starved, micro.stream(micro.gzips[0])])
    arguments = ["paper", "--results", str(tmp_path), "--work", str(tmp_path / "work")]
    assert command.main(arguments) == 1
    out, err = capsys.readouterr()
    assert "2 of 4 runs to do" in out
    assert "failed: Stream Bytes, LM Bytes 30k" in out
    assert "epochs of the corpus's" in err
    assert "--epochs-ok" in err
    assert Rows(tmp_path / "micro" / "rows.jsonl").done(micro.stream(micro.gzips[0]))
    assert (tmp_path / "micro" / "made-up.csv").exists()
    assert command.main([*arguments, "--epochs-ok"]) == 1
    assert "failed: Stream Bytes\n" in capsys.readouterr().out
    assert Rows(tmp_path / "micro" / "rows.jsonl").done(starved)


def test_the_plan_alone_runs_nothing(micro, tmp_path, monkeypatch, capsys):
    _stand_for_everything(monkeypatch, micro, [micro.lm(micro.bytes)])
    assert (
        command.main(
            ["paper", "--plan", "--results", str(tmp_path), "--work", str(tmp_path / "work")]
        )
        == 0
    )
    assert "2 of 2 runs to do" in capsys.readouterr().out
    assert not (tmp_path / "micro").exists()


def test_all_done_says_so_and_foreign_rows_are_named(micro, tmp_path, monkeypatch, capsys):
    stream = micro.stream(micro.gzips[0])
    _stand_for_everything(monkeypatch, micro, [stream])
    (tmp_path / "micro").mkdir()
    (tmp_path / "micro" / "rows.jsonl").write_text(
        json.dumps({"version": RECIPE_VERSION + 1}) + "\n"
    )
    queue.carry_out(
        queue.Order(micro, [stream], tmp_path / "micro" / "rows.jsonl", tmp_path / "work"), Speeds()
    )
    assert (
        command.main(["queue", "--results", str(tmp_path), "--work", str(tmp_path / "work")]) == 0
    )
    out, err = capsys.readouterr()
    assert out.rstrip().endswith("all is done: 1 runs")
    assert (
        "ignored rows of another recipe version: rows.jsonl:1 (recipe version"
        f" {RECIPE_VERSION + 1})" in err
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["queue", "--shard", "6/5"], "error: --shard 6/5: write it as NUMBER/COUNT"),
        (["queue", "--budget", "0"], "error: --budget 0: give it some seconds"),
        (["paper", "--jobs", "0"], "error: --jobs 0: it takes one process at least"),
        (["paper", "--scale", "huge"], "error: unknown scale 'huge'"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(arguments, line, monkeypatch, capsys):
    monkeypatch.setattr(queue, "run_all", lambda *_, **__: pytest.fail("it ran"))
    assert command.main(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith(line)
    assert err.count("\n") == 1


def test_cuda_is_hidden_or_demanded(monkeypatch, capsys):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main(["queue", "--device", "cuda"]) == 1
    assert (
        capsys.readouterr().err
        == "error: --device cuda: torch sees no CUDA device on this machine\n"
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    command._choose_device("cpu", 1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_options_of_other_commands_are_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["fig3", "--budget", "5"])
    assert "--budget is for queue" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["paper", "fig3"])
    assert "paper takes no names after it: leave out fig3" in capsys.readouterr().err


def test_a_queue_is_of_the_experiments_named_after_it(monkeypatch):
    tiny = catalogue.find_scale("tiny")
    orders = []
    monkeypatch.setattr(queue, "status", orders.append)
    for names in ([], ["fig3"], ["place", "fig6"]):
        assert command.main(["status", *names]) == 0
    everything, *named = [order.recipes for order in orders]
    assert everything == catalogue.everything(tiny)
    assert named == [catalogue.recipes_of(names, tiny) for names in (["fig3"], ["place", "fig6"])]


@pytest.mark.parametrize(
    ("budget", "pause", "end"), [(540, 523.8, 537), (100, 90, 97), (20, 15, 17.5)]
)
def test_a_budget_leaves_room_for_a_checkpoint(budget, pause, end):
    assert queue.budgeted(1000.0, budget) == {
        "deadline": pytest.approx(1000 + pause),
        "end": pytest.approx(1000 + end),
    }


def test_writers_of_one_file_lose_nothing(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"type": "broken off')
    writers = [
        multiprocessing.get_context("fork").Process(target=_write, args=(path, n)) for n in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(Rows(path).by_key) == {f"{n}-{i}" for n in range(2) for i in range(60)}


def _write(path, number):
    rows = Rows(path.with_name("none"))
    rows.path = path
    for i in range(60):
        rows.append(Row("LM", f"{number}-{i}", "x", "done", {"long": "." * 20_000}, 0, 1.0))


def _stand_for_everything(monkeypatch, micro, recipes):
    """Make one experiment of these recipes the whole catalogue, and `micro` every scale but
    "huge".
    """
    table = Table("made up", ["a"], [["b"]])
    experiment = Experiment(
        "made-up", "none", "made up", lambda scale: recipes, lambda results: table
    )
    monkeypatch.setattr(catalogue, "EXPERIMENTS", {"made-up": experiment})
    monkeypatch.setattr(catalogue, "find_scale", lambda name: micro)
