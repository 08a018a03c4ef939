"""Shards as torch's dataset: our own training's order, on any number of ranks and workers."""

import pickle

import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

import equinfo
from equinfo import ShardDataset, Shards
from equinfo.errors import EquinfoError

CONTEXT = 16
TEXTS = [f"In the beginning {n} ".encode() * (n % 9 + 1) for n in range(60)]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Shards:
    """Several files, some hundred sequences."""
    folder = tmp_path_factory.mktemp("loading") / "shards"
    return equinfo.tokenize_corpus("bytes", TEXTS, folder, shard_bytes=1500)


def own_order(shards, count, seed=0):
    """Training's own: (inputs, targets), int64[count, CONTEXT]."""
    inputs, targets = next(shards.batches(CONTEXT, count, seed))
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def taken(items, count=None):
    """(inputs, labels) of the first items, a row a sequence."""
    some = [item for _, item in zip(range(count or 10_000), items, strict=False)]
    return tuple(torch.cat([x[n].view(-1, CONTEXT) for x in some]) for n in ("input_ids", "labels"))


def same(found, expected) -> bool:
    return all(map(torch.equal, found, expected))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_our_training_for_any_workers(shards, workers):
    loader = DataLoader(
        ShardDataset(shards, CONTEXT, batch_size=4, seed=3), None, num_workers=workers
    )
    found = taken(loader, 5)
    assert same(found, own_order(shards, 20, seed=3))
    assert found[0].dtype == torch.int64
    assert (found[0][:, 0] == shards.bos_id).all()


@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_step_of_all_ranks_is_that_of_one(shards, batch_size):
    """World * batch is 4, and a loader that makes batches itself takes as many."""
    own = batch_size or 1
    ranks = [
        taken(ShardDataset(shards, CONTEXT, batch_size=batch_size, rank=r, world=4 // own), 6)
        for r in range(4 // own)
    ]
    whole = own_order(shards, 6 * 4)
    for n, expected in enumerate(whole):
        steps = torch.stack([part[n].view(-1, own, CONTEXT) for part in ranks], dim=1)
        assert torch.equal(steps.reshape(-1, CONTEXT)[: len(expected)], expected)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("steps", [0, 3])
def test_a_stateful_loader_goes_on_in_the_middle(shards, workers, steps):
    def make():
        dataset = ShardDataset(shards, CONTEXT, batch_size=4, epochs=1)
        return StatefulDataLoader(dataset, batch_size=None, num_workers=workers)

    loader = make()
    running = iter(loader)
    for _ in range(steps):
        next(running)
    state = pickle.loads(pickle.dumps(loader.state_dict()))
    rest = taken(running)
    again = make()
    again.load_state_dict(state)
    assert same(taken(again), rest)
    assert same(taken(again), taken(make()))  # and then begins anew


def test_another_number_of_ranks_goes_on(shards):
    """With batches of another size, too: 10 sequences are taken, the next come."""
    dataset = ShardDataset(shards, CONTEXT, batch_size=2)
    taken(dataset, 5)
    state = dataset.state_dict()
    assert state["sequences"] == 10
    found = []
    for rank in range(3):
        part = ShardDataset(shards, CONTEXT, batch_size=1, rank=rank, world=3)
        part.load_state_dict(state)
        assert part.state_dict() == state  # until it goes on
        found.append(taken(part, 2)[1])
    expected = own_order(shards, 16)[1][10:]
    assert torch.equal(torch.stack(found, dim=1).view(-1, CONTEXT), expected)


def test_epochs_end_at_a_whole_step_and_begin_anew_in_another_order(shards):
    count = len(shards.tiles(CONTEXT))
    dataset = ShardDataset(shards, CONTEXT, batch_size=7, epochs=2)
    found = taken(dataset)
    assert len(found[0]) == 2 * count // 7 * 7
    assert same(found, own_order(shards, len(found[0])))
    assert same(taken(dataset), found)


def test_torchtitan_gets_what_its_trainer_takes(shards):
    dataset = ShardDataset(shards, CONTEXT, torchtitan=True)
    given, labels = next(iter(StatefulDataLoader(dataset, batch_size=5)))  # it makes the batches
    assert same((given["input"], labels), own_order(shards, 5))


def test_the_place_is_torchs_or_the_environments(shards, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert (ShardDataset(shards, CONTEXT).rank, ShardDataset(shards, CONTEXT).world) == (1, 3)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 5)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 8)
    assert (ShardDataset(shards, CONTEXT).rank, ShardDataset(shards, CONTEXT).world) == (5, 8)


def test_a_copy_for_another_process_holds_no_ids(shards):
    dataset = ShardDataset(shards, CONTEXT, batch_size=2)
    before = taken(dataset, 3)
    copy = pickle.dumps(dataset)
    assert len(copy) < shards.num_ids * 2
    assert same(taken(pickle.loads(copy), 3), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0: it must be an integer from 1"),
        ({"context": 0}, "context is 0"),
        ({"context": 1 << 20}, "fewer than one sequence"),
        ({"epochs": 1, "batch_size": 5000}, "fewer than the 5000 of a step"),
        ({"rank": 0}, "go together"),
        ({"rank": 2, "world": 2}, "world is 2: it must be an integer from 3"),
    ],
)
def test_what_cannot_be_is_refused(shards, options, message):
    with pytest.raises(EquinfoError, match=message):
        ShardDataset(shards, **{"context": CONTEXT, **options})


def test_a_place_that_is_no_number_is_refused(shards, monkeypatch):
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(EquinfoError, match="RANK=first"):
        ShardDataset(shards, CONTEXT)


def test_anothers_state_is_refused(shards):
    state = ShardDataset(shards, CONTEXT).state_dict()
    for change, message in (
        ({"seed": 1}, "its seed is 1, here it is 0"),
        ({"context": 8}, "its context is 8"),
        ({"shards": "ab"}, "its shards is 'ab'"),
        ({"sequences": -1}, "the state: its sequences is -1"),
        ({"workers": True}, "its workers is True"),
    ):
        with pytest.raises(EquinfoError, match=message):
            ShardDataset(shards, CONTEXT).load_state_dict({**state, **change})
    for wrong in (None, {name: state[name] for name in ("shards", "context", "seed")}):
        with pytest.raises(EquinfoError, match=r"a state is a dict|the state.*lacks 'sequences'"):
            ShardDataset(shards, CONTEXT).load_state_dict(wrong)
    dataset = ShardDataset(shards, CONTEXT, batch_size=2)
    dataset.load_state_dict({**state, "workers": 3, "step": 4})
    with pytest.raises(EquinfoError, match="one of 3 workers at 4 sequences a step, and here are"):
        iter(dataset)


def test_single_sequences_of_several_workers_are_refused(shards):
    loader = DataLoader(ShardDataset(shards, CONTEXT), batch_size=2, num_workers=2)
    with pytest.raises(ValueError, match="come in no fixed order"):
        next(iter(loader))
