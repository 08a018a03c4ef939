"""Several processes train what one does, whatever becomes of them: gloo, on the CPU."""

import contextlib
import io
import json
import multiprocessing
import os
import signal
import socket
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from equinfo import cli
from equinfo.errors import EquinfoError, LostRank
from equinfo.lm import ranks
from equinfo.lm import train as loop
from equinfo.lm.config import OptimizerConfig, TrainConfig, modern, paper
from equinfo.lm.sequences import Examples, example
from equinfo.lm.train import Probe, load_lm, probes, train

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and gloo")

STEPS = 6
IDS = (np.random.default_rng(0).integers(0, 40, 4000) ** 2 % 259).astype(np.uint16)
ADAMW = OptimizerConfig(learning_rate=5e-3, warmup_steps=5)
ADAFACTOR = OptimizerConfig(
    "adafactor", "rsqrt", learning_rate=0.1, warmup_steps=5, clip=0.0, z_loss=1e-4
)
# after each id the four above the largest that IDS holds never follow
MASK = {
    "canonical.offsets": np.arange(260),
    "canonical.ranges": np.tile(np.array([[251, 255]], dtype=np.int32), (259, 1)),
}


def config_of(style=modern, model=None, **changes):
    config = TrainConfig(
        style("30k", 259),
        ADAMW if style is modern else ADAFACTOR,
        **{"bos_id": 257, "steps": STEPS, "batch_size": 16, "context": 16} | changes,
    )
    return replace(config, model=replace(config.model, **model or {}))


# -- processes, started once -----------------------------------------------------------------------


def serve(pipe):
    """Do one job after another: each as a rank of its own group, as torchrun would start it."""
    os.environ["OMP_NUM_THREADS"] = "1"
    for environment, job, given in iter(pipe.recv, None):
        os.environ.update(environment)
        try:
            pipe.send(job(*given))
        except (EquinfoError, KeyboardInterrupt) as error:
            pipe.send(error)
        except BaseException:
            pipe.send(AssertionError(traceback.format_exc()))


class Pool:
    """Processes that wait for jobs; those that died are started again."""

    def __init__(self):
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["equinfo.lm.train", "torch.distributed.fsdp"])
        self.workers = {}

    def run(self, world, job, *given):
        """What the job returns or raises on each rank; None of one that is killed."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        shared = {"WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for rank in range(world):
            if rank not in self.workers:
                ours, theirs = self.context.Pipe()
                process = self.context.Process(target=serve, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self.workers[rank] = process, ours
            environment = {name: str(value) for name, value in {**shared, "RANK": rank}.items()}
            self.workers[rank][1].send((environment, job, given))
        return [self.told(rank) for rank in range(world)]

    def told(self, rank):
        try:
            found = self.workers[rank][1].recv()
        except EOFError:
            del self.workers[rank]
            return None
        if isinstance(found, AssertionError):
            raise found
        return found

    def close(self):
        for process, pipe in self.workers.values():
            pipe.send(None)
            process.join()


@pytest.fixture(scope="module")
def pool():
    made = Pool()
    yield made
    made.close()


def losses(folder):
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").open()]


def one(folder, config, ids=IDS, **options):
    return train(config, ids, folder, **options)


def same(a, b):
    """Trainings in two folders, but for rounding."""
    np.testing.assert_allclose(losses(a), losses(b), rtol=2e-5)
    theirs = load_lm(b).state_dict()
    for name, weight in load_lm(a).state_dict().items():
        np.testing.assert_allclose(weight, theirs[name], atol=2e-4, err_msg=name)


def refused(found, line):
    """On all ranks, in one line."""
    for error in found:
        assert isinstance(error, EquinfoError)
        assert line in str(error)
        assert "\n" not in str(error)


# -- laws ------------------------------------------------------------------------------------------

REVERSED = [
    example(ids, ids[::-1], 16) for ids in np.random.default_rng(3).integers(0, 40, (40, 5))
]
ROUTED = {"depth_capacity": 0.25, "experts": 4}
CASES = {
    "DDP": (2, False, config_of(), {}),
    "DDP, micro-batches, paper": (4, False, config_of(paper, micro_batches=2), {}),
    "FSDP2, micro-batches": (2, True, config_of(micro_batches=2), {}),
    "FSDP2, paper": (2, True, config_of(paper), {}),
    "short contexts": (2, False, config_of(short_contexts=(8, 4)), {}),
    "FSDP2, places, pairs, shares, a mask": (
        2,
        True,
        config_of(model={"period": 3, "bigrams": 50, "shares": True, "canonical": 259}),
        {"initial": MASK},
    ),
    "routed blocks": (2, False, config_of(model=ROUTED, micro_batches=2), {}),
    "FSDP2, routed blocks": (2, True, config_of(model=ROUTED), {"keep_optimizer": True}),
    "some ids scored": (2, False, config_of(), {"ids": Examples(np.array(REVERSED), 259)}),
}


@pytest.mark.parametrize("case", CASES)
def test_ranks_train_what_one_process_does(case, pool, tmp_path):
    world, sharded, config, options = CASES[case]
    alone = one(tmp_path / "one", config, **options)
    found = pool.run(world, many, tmp_path / "many", config, {**options, "sharded": sharded})
    assert found == [found[0]] * world
    assert found[0].loss == pytest.approx(alone.loss, rel=2e-5)
    same(tmp_path / "many", tmp_path / "one")


def many(folder, config, options):
    return one(folder, config, **options)


def dies(folder, config, options, rank, module, name, calls):
    """A rank that is killed as it calls a function for the last time."""
    module = {"ranks": ranks, "train": loop}[module]
    function, left = getattr(module, name), [calls]

    def killed(*args):
        left[0] -= 1
        if not left[0] and os.environ["RANK"] == str(rank):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)

    setattr(module, name, killed)
    try:
        return one(folder, config, **options)
    finally:
        setattr(module, name, function)


@pytest.mark.parametrize(
    ("style", "rank", "place", "kept"),
    [
        (modern, 0, ("ranks", "_hashes", 2), 1),  # amid a checkpoint; FSDP2
        (paper, 2, ("train", "cross_entropy", 3), 2),  # amid a step; DDP
    ],
)
def test_a_training_survives_a_killed_rank_and_goes_through_any_number_of_them(
    style, rank, place, kept, pool, tmp_path
):
    config = config_of(style)
    one(tmp_path / "one", config)
    folder, often = tmp_path / "many", {"checkpoint_seconds": 0}
    found = pool.run(4, dies, folder, config, {**often, "sharded": style is modern}, rank, *place)
    assert found.pop(rank) is None
    refused(found, f"rank {rank} is gone: the same command goes on from step {kept}")
    assert {type(error) for error in found} == {LostRank}
    pause = {"deadline": 0.0}
    steps = [pool.run(2, many, folder, config, {**pause, "sharded": style is paper})[1].steps]
    steps += [one(folder, config, **pause).steps]
    assert steps == [kept + 1, kept + 2]
    assert pool.run(4, many, folder, config, {"sharded": True})[3].steps == STEPS
    same(folder, tmp_path / "one")
    assert not list(folder.glob("*checkpoint*"))


def measure(model):
    return float(model.norm.weight.detach().sum())


def told_to_end(folder, config, options):
    """A scheduler ends one rank, in the second step."""
    rows = ranks.Ranks.rows

    def ended(self, at, config):
        if (self.rank, at) == (1, 1):
            signal.raise_signal(signal.SIGTERM)
        return rows(self, at, config)

    ranks.Ranks.rows = ended
    try:
        return one(folder, config, probe=Probe(measure, frozenset({1, 4})), **options)
    finally:
        ranks.Ranks.rows = rows


def test_a_signal_to_one_rank_ends_all_after_a_checkpoint(pool, tmp_path):
    found = pool.run(2, told_to_end, tmp_path, config_of(), {"sharded": True})
    assert [type(error) for error in found] == [KeyboardInterrupt] * 2
    assert [path.name for path in tmp_path.glob("check*")] == ["checkpoint-000000002"]
    options = {"sharded": True, "probe": Probe(measure, frozenset({1, 4}))}
    pool.run(2, many, tmp_path, config_of(), options)
    assert list(probes(tmp_path)) == [1, 4]


def unlike(folder, config, options):
    return one(folder, replace(config, seed=int(os.environ["RANK"])), **options)


def test_what_cannot_be_trained_is_refused_in_a_line_on_all_ranks(pool, tmp_path):
    def runs(name, config=None, options=None, job=many):
        return pool.run(2, job, tmp_path / name, config or config_of(), options or {})

    refused(runs("odd", config_of(batch_size=9)), "do not divide among 2 ranks")
    short = config_of(batch_size=4, short_contexts=(8,), micro_batches=2)
    refused(runs("short", replace(short, short_contexts=(8,))), "a multiple of 8")
    refused(runs("unlike", job=unlike), "rank 1 has other settings or ids than rank 0")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    refused(runs("full"), "full holds mine.txt")

    runs("paused", options={"deadline": 0.0})
    refused(runs("paused", config_of(paper)), "a training with other settings")
    checkpoint = tmp_path / "paused" / "checkpoint-000000001"
    file = next(checkpoint.glob("shard-00002-*"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(runs("paused"), "checkpoint-000000001 does not match its own hash")
    file.unlink()
    refused(runs("paused"), "checkpoint-000000001 does not match its own hash")
    with pytest.raises(EquinfoError, match="does not match its own hash"):
        one(tmp_path / "paused", config_of())


def command(*words):
    """Exit status and both outputs of `equinfo`."""
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["equinfo", *map(str, words)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
            status = 0
        except SystemExit as stop:
            status = stop.code
    return status, out.getvalue(), err.getvalue()


def test_rank_0_alone_speaks_and_writes(pool, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("In the beginning\n" * 400)
    words = ["train-lm", "-t", "bytes", "--corpus", text, "--size", "30k", "--steps", "3"]
    words += ["--batch-size", "4", "--context", "32", "--out", tmp_path / "lm"]
    first, second = pool.run(2, command, *words)
    assert first[:2] == (0, f"{tmp_path / 'lm'}\n")
    assert second == (0, "", "")
    assert Path(tmp_path / "lm" / "tokenizer" / "artifact.json").is_file()
    first, second = pool.run(2, command, *words, "--batch-size", "3", "--overwrite")
    assert first[0] == second[0] == 1  # the second speaks once torchrun has not ended it
    assert first[2].splitlines()[-1].startswith("equinfo: 3 sequences a step, in 1 parts")
