"""An M2 that is told the place of an id in its unit, and the id before it: the same ones in
training, evaluation and generation.
"""

import shutil
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

import equinfo
from equinfo import api
from equinfo.compress.models.base import StaticModel
from equinfo.errors import EquinfoError
from equinfo.generation import check_fit
from equinfo.lm.cache import KVCache
from equinfo.lm.config import LATER, NUM_SPECIAL, OptimizerConfig, TrainConfig, modern, paper
from equinfo.lm.decoder import ZEROS, Decoder
from equinfo.lm.evaluate import evaluate, predict
from equinfo.lm.sample import Sampling, sample
from equinfo.lm.sequences import Sequences
from equinfo.lm.train import load_lm, load_train_config, train
from equinfo.sharding import tokenize_corpus
from equinfo.tokenizers import base
from equinfo.tokenizers.registry import make

TEXTS = [b"In the beginning " * n for n in range(1, 13)]
CODES, PERIOD, CONTEXT = 16, 3, 20
PAD, BOS, EOS = CODES, CODES + 1, CODES + 2
CONFIGS = [replace(style("30k", CODES + 3), period=PERIOD) for style in (modern, paper)]
CONFIGS.append(replace(CONFIGS[0], bigrams=50, shares=True))
each = pytest.mark.parametrize("config", CONFIGS, ids=["modern", "paper", "bigrams"])


def windows(bits, width, **options):
    return make("equalinfo", 1 << width, m1=StaticModel.unigram(TEXTS), bits=bits, **options)


def told(config, seed=0):
    """A decoder whose places, pairs and shares mean something: they begin as zeros."""
    model = Decoder(config).initialise(seed).eval()
    generator = torch.Generator().manual_seed(seed)
    for name in ZEROS:
        if name in model.state_dict():
            torch.nn.init.normal_(model.get_parameter(name), generator=generator)
    return model


def documents(count, seed=0, whole=True):
    """Units of a drawn id, that + 7 and that + 9. whole: none is broken off at a document's end."""
    draw = np.random.default_rng(seed)
    for _ in range(count):
        drawn = draw.integers(CODES, size=draw.integers(1, 9))
        ids = ((drawn[:, None] + [0, 7, 9]) % CODES).ravel()
        yield ids if whole else ids[: len(ids) - draw.integers(3)]


def stream_of(*args, **options):
    return np.concatenate([np.append(ids, EOS) for ids in documents(*args, **options)]).astype(
        np.uint16
    )


def walked(ids, place=0):
    """The place of each id of a stream, counted one by one, and of what follows: a list of len(ids)
    + 1.
    """
    places = [place]
    for i in ids:
        places.append(0 if i >= CODES else (places[-1] + 1) % PERIOD)
    return places


def by_ids_with_places(model):
    """logits(ids, places): the oracle, a decoder without places and bigrams whose ids are a place,
    the id before and an id.
    """
    config, size = model.config, model.config.vocab_size
    told = torch.zeros(PERIOD, size + 1, size, config.d_model)
    told += model.place.weight[:, None, None] + model.embed.weight
    if config.bigrams:
        rows = [
            [(before * 36_313 ^ i * 27_191) % config.bigrams for i in range(size)]
            for before in range(-1, size)
        ]
        told += model.pair.weight[torch.tensor(rows)]
    table = told.flatten(0, 2).detach()
    plain = Decoder(replace(config, vocab_size=len(table), period=1, bigrams=0)).eval()
    kept = plain.state_dict().keys()
    weights = {name: weight for name, weight in model.state_dict().items() if name in kept}
    head = model.head.weight.repeat(len(table) // size, 1)
    plain.load_state_dict({**weights, "embed.weight": table, "head.weight": head})

    def logits(ids, places):
        ids, places = torch.tensor(ids), torch.tensor(places)
        before = torch.cat([torch.full_like(ids[:, :1], -1), ids[:, :-1]], dim=1)
        return plain.logits((places * (size + 1) + before + 1) * size + ids)[..., :size]

    return logits


# -- one place, however it is come by --------------------------------------------------------------


@pytest.mark.parametrize(
    "cuts", [[1] * 24, [24], [7, 1, 1, 9, 6]], ids=["steps", "whole", "pieces"]
)
def test_places_are_counted_from_the_last_special_id(cuts):
    draw, model = np.random.default_rng(0), told(CONFIGS[0])
    ids = np.where(
        draw.random((6, 24)) < 0.15,
        draw.integers(PAD, EOS + 1, (6, 24)),
        draw.integers(CODES, size=(6, 24)),
    )
    cache, found = KVCache(model.config, 6, 24), []
    for piece in torch.from_numpy(ids).split(cuts, dim=1):
        found.append(model.places(piece, cache if len(cuts) > 1 else None))
        cache.layers[0].length += piece.shape[1]
    assert torch.cat(found, dim=1).tolist() == [walked(row)[1:] for row in ids]


@each
def test_cached_logits_and_those_after_padding_are_the_whole_ones(config):
    model, ids = told(config), torch.tensor([[BOS, *stream_of(9).tolist()[:39]]])
    expected = by_ids_with_places(model)(ids.tolist(), [walked(ids[0].tolist())[1:]])
    padded = torch.cat([torch.full((1, 5), 3), ids], dim=1)  # whatever the padding's id is
    real = torch.arange(45)[None] >= 5
    with torch.no_grad():
        cache = KVCache(config, 1, 40)
        pieces = torch.cat(
            [model.logits(piece, cache) for piece in ids.split([8, 1, 1, 19, 11], dim=1)], dim=1
        )
        after = model(padded, real=real)[:, 5:] @ model.head_weight.T
        for found in (model.logits(ids), pieces, after):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@each
def test_evaluation_and_predictions_know_where_tiles_begin(config):
    model, ids = told(config), stream_of(20, whole=False)
    places, oracle, nats = walked(ids), by_ids_with_places(model), []
    tiles = [range(at, min(at + CONTEXT, len(ids))) for at in range(0, len(ids), CONTEXT)]
    assert {places[tile[0]] for tile in tiles} == {0, 1, 2}
    for tile in tiles:
        targets = ids[tile].astype(np.int64)
        with torch.no_grad():
            logits = oracle([[BOS, *targets[:-1]]], [[places[at] for at in tile]])[0]
        nats.append(
            float(
                torch.nn.functional.cross_entropy(
                    logits, torch.from_numpy(targets), reduction="sum"
                )
            )
        )
    assert evaluate(
        model, ids, 1, context=CONTEXT, bos_id=BOS, batch_size=3
    ).sum_nats == pytest.approx(sum(nats))
    rows, firsts = ids[: 6 * CONTEXT].reshape(6, CONTEXT), np.array(places)[: 6 * CONTEXT : CONTEXT]
    found, _ = predict(model, rows, BOS, batch_size=4, firsts=firsts)
    np.testing.assert_allclose(found.sum(1), nats[:6], rtol=1e-4)
    blocks = evaluate(model, ids[: 6 * CONTEXT], 1, context=CONTEXT, bos_id=BOS, blocks=True)
    assert blocks.sum_nats == pytest.approx(predict(model, rows, BOS)[0].sum(), rel=1e-4)


@each
@pytest.mark.parametrize(
    "prompts", [[[], [4, 11, 13]], [[1] * 30]], ids=["short", "longer than a sequence"]
)
def test_generation_goes_on_counting_where_a_sequence_begins_anew(config, prompts):
    model, steps = told(config), 45
    run = sample(
        model, [np.array(prompt, dtype=np.int64) for prompt in prompts], bos_id=BOS,
        context=CONTEXT,
        sampling=Sampling(temperature=0), mask=lambda row: np.arange(CODES + 3) < CODES,
    )  # fmt: skip
    drawn = np.stack(list(islice(run, steps)), axis=1)
    oracle = by_ids_with_places(model)
    for prompt, row in zip(prompts, drawn, strict=True):
        ids, begin = list(prompt), 0
        for i in row[row >= 0]:
            begin = len(ids) - CONTEXT // 2 if 1 + len(ids) - begin > CONTEXT else begin
            with torch.no_grad():
                logits = oracle([[BOS, *ids[begin:]]], [walked(ids)[begin:]])
            assert i == int(logits[0, -1, :CODES].argmax())
            ids.append(int(i))


def test_sequences_of_a_stream_and_of_shards_know_their_first_place(tmp_path):
    tokenizer = windows(20, 8)  # 5 ids are 2 windows, and documents end amid them
    model = replace(modern("30k", tokenizer.vocab_size), period=tokenizer.period)
    for mode in ("document", "block"):
        shards = tokenize_corpus(
            tokenizer, TEXTS, tmp_path / mode, mode=mode, shard_bytes=400, block_bytes=200
        )
        sequences = Sequences(shards, 7, tokenizer.bos_id, 0, model)
        found = sequences.firsts(range(len(sequences.tiles)))
        if mode == "block":
            assert not found.any()
            continue
        assert len(shards.manifest["shards"]) > 1
        in_memory = Sequences(shards.stream().ids, 7, tokenizer.bos_id, 0, model)
        counts = [
            n for ids, _ in shards.documents() for n in range(len(ids) + 1)
        ]  # EOS is the last
        expected = [counts[7 * in_memory._tile(n)] % tokenizer.period for n in range(len(found))]
        assert set(expected) == {0, 1, 2, 3, 4}
        assert found.tolist() == in_memory.firsts(range(len(found))).tolist() == expected


# -- training --------------------------------------------------------------------------------------


def config_of(model=CONFIGS[0], **changes):
    options = {"bos_id": BOS, "steps": 6, "batch_size": 8, "context": CONTEXT} | changes
    return TrainConfig(model, OptimizerConfig(learning_rate=1e-2, warmup_steps=5), **options)


def test_what_only_the_place_says_is_learned(tmp_path):
    """Two of three ids follow from the one before and the place: their nats go, and stay without
    the place.
    """
    ids, held_out, losses = stream_of(600), stream_of(60, seed=1), []
    for period in (PERIOD, 1):
        config = config_of(replace(CONFIGS[0], period=period), steps=60, batch_size=16)
        train(config, ids, tmp_path / str(period))
        lm = load_lm(tmp_path / str(period))
        measured = evaluate(lm, held_out, 1, context=CONTEXT, bos_id=BOS)
        losses.append(measured.sum_nats / measured.num_ids)
    assert losses[0] < np.log(CODES) / 3 + 0.25  # a drawn id a unit, and where documents end
    assert losses[1] > losses[0] + 0.4


def test_it_begins_as_the_lm_without_and_pauses_and_splits_like_it(tmp_path):
    ids = stream_of(60)
    plain, every = replace(CONFIGS[0], period=1), CONFIGS[-1]
    batch = torch.from_numpy(ids[None, :CONTEXT].astype(np.int64))
    same = [Decoder(config).initialise(3).logits(batch) for config in (plain, CONFIGS[0], every)]
    assert all(torch.equal(same[0], one) for one in same)
    whole = train(config_of(every), ids, tmp_path / "whole")
    while train(config_of(every), ids, tmp_path / "paused", deadline=0.0).status == "paused":
        pass
    one, other = (load_lm(tmp_path / name).state_dict() for name in ("whole", "paused"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert all(one[name].any() for name in ZEROS)
    parts = train(config_of(every, micro_batches=4), ids, tmp_path / "parts")
    assert parts.loss == pytest.approx(whole.loss, abs=1e-4)


def test_settings_of_lms_without_places_say_nothing_of_them():
    assert NUM_SPECIAL == base.NUM_SPECIAL
    plain = replace(CONFIGS[0], period=1)
    assert not LATER.keys() & config_of(plain).to_dict()["model"].keys()
    for model in (plain, *CONFIGS):
        assert TrainConfig.from_dict(config_of(model).to_dict()) == config_of(model)
    with pytest.raises(EquinfoError, match="short_contexts"):
        config_of(short_contexts=(10,))
    with pytest.raises(EquinfoError, match="period is 0"):
        config_of(replace(CONFIGS[0], period=0))


# -- which tokenizer it is for ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokenizer", "period"),
    [
        (equinfo.load("bytes"), 1),
        (windows(12, 12), 1),
        (windows(12, 6), 2),
        (windows(20, 8), 5),
        (windows(12, 6, reset=0, rule="paper"), 2),  # the place is known, though no unit decodes
        (windows(12, 6, reset=2), 4),
    ],
)
def test_the_period_is_what_windows_and_ids_have_in_common(tokenizer, period):
    assert tokenizer.period == period
    for told in (1, period):
        check_fit(replace(modern("30k", tokenizer.vocab_size), period=told), tokenizer)
    with pytest.raises(EquinfoError, match=f"units of 7 ids and those of .* have {period}"):
        check_fit(replace(modern("30k", tokenizer.vocab_size), period=7), tokenizer)


def test_train_lm_tells_places_where_there_are_some(tmp_path):
    tokenizer, options = windows(20, 8), {"size": "30k", "steps": 2, "batch_size": 2, "context": 16}
    api.train_lm(tmp_path / "lm", tokenizer, TEXTS, place=True, bigrams=9, shares=True, **options)
    model = load_train_config(tmp_path / "lm").model
    assert (model.period, model.bigrams, model.shares) == (5, 9, True)
    stream = api.token_stream(tokenizer, TEXTS)
    assert api.evaluate(tmp_path / "lm", tokenizer, stream).num_ids == len(stream.ids)
    (text,) = equinfo.generate(tmp_path / "lm", tokenizer, "In the beginning", max_ids=20)
    assert text.ids
    shards = tokenize_corpus(tokenizer, TEXTS, tmp_path / "shards")
    api.train_lm(tmp_path / "sharded", shards=shards, place=True, **options)
    assert load_train_config(tmp_path / "sharded").model.period == 5
    shutil.rmtree(shards.folder / "tokenizer")
    with pytest.raises(EquinfoError, match="name the tokenizer as well as its shards"):
        api.train_lm(tmp_path / "other", shards=shards, place=True, **options)
    with pytest.raises(EquinfoError, match="each id of Bytes is a unit"):
        api.train_lm(tmp_path / "other", "bytes", TEXTS, place=True, **options)
