"""The decoder in transformers: the same logits, also cached, padded, saved and read."""

import copy
import json
import os
import pickle
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import tokenizer_zoo as zoo
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig

import equinfo
from equinfo import api
from equinfo.compress.models.base import StaticModel
from equinfo.errors import EquinfoError
from equinfo.generation import stream as stream_text
from equinfo.hf.config import EquinfoConfig
from equinfo.hf.logits import DecodableIds
from equinfo.hf.model import CACHE, EquinfoForCausalLM
from equinfo.lm.config import LATER, DecoderConfig, OptimizerConfig, Training, modern, paper
from equinfo.lm.decoder import ZEROS, Decoder
from equinfo.lm.loss import cross_entropy
from equinfo.lm.routing import Routing
from equinfo.lm.train import load_lm, load_train_config, train
from equinfo.tokenizers.registry import make

CLIPPED = DecoderConfig(259, 32, 2, 2, 16, 64, position="relative", relative_clip=5)
TIED = replace(modern("30k", 259), tied=True)
TOLD = replace(modern("30k", 259), period=3, bigrams=50, shares=True)
ROUTED = replace(modern("30k", 259), depth_capacity=0.25, experts=4)
CONFIGS = {
    "modern": modern("30k", 259),
    "paper": paper("30k", 259),
    "clipped": CLIPPED,
    "tied": TIED,
    "told": TOLD,
    "routed": ROUTED,
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
PAD, BOS, EOS = 256, 257, 258
GREEDY = {"do_sample": False, "max_new_tokens": 12}


def decoder_of(config, seed=0):
    """Random weights, also of what begins as zeros."""
    decoder = Decoder(config).initialise(seed)
    generator = torch.Generator().manual_seed(seed)
    for name in ZEROS:
        if name in decoder.state_dict():
            torch.nn.init.normal_(decoder.get_parameter(name), generator=generator)
    for block in decoder.blocks:
        if block.depths is not None:  # takes some positions, as trained ones do
            block.depths.predictor.weight.data.mul_(60)
    return decoder


def tokenizer_of(config):
    """Of 256 codes and the decoder's period."""
    if config.period == 1:
        return equinfo.load("bytes")
    model = StaticModel.unigram([b"God said"])
    return make("equalinfo", 256, m1=model, bits=8 * config.period)


def model_of(config, seed=0):
    return EquinfoForCausalLM.from_lm(decoder_of(config, seed), tokenizer_of(config), context=64)


def ids_of(*shape, seed=1):
    return torch.randint(256, shape, generator=torch.Generator().manual_seed(seed))


def left_padded(*rows):
    """(ids, attention mask), i64[rows, the longest]."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[PAD] * (longest - len(row)) + [BOS, *row] for row in map(list, rows)])
    return ids, (ids != PAD).long()


def assert_same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


# -- one forward pass ------------------------------------------------------------------------------


@every_config
@pytest.mark.parametrize(
    "options", [{}, {"use_cache": False}, {"attention_mask": torch.ones(2, 20)}], ids=str
)
def test_logits_are_the_decoders_bit_for_bit(config, options):
    model, ids = model_of(config), ids_of(2, 20)
    for with_gradients in (True, False):  # attention has another kernel for each
        with torch.set_grad_enabled(with_gradients):
            logits = model(ids, **options).logits
            assert logits.dtype == torch.float32
            assert torch.equal(logits, model.decoder.logits(ids))


@every_config
def test_the_loss_is_of_the_next_id(config):
    model, ids = model_of(config), ids_of(3, 15)
    labels = ids.masked_fill(
        torch.rand(ids.shape, generator=torch.Generator().manual_seed(0)) < 0.3, -100
    )
    output = model(ids, labels=labels)
    targets = labels[:, 1:].flatten()
    kept = targets >= 0
    oracle = F.cross_entropy(model.decoder.logits(ids)[:, :-1].flatten(0, 1)[kept], targets[kept])
    hidden = model.decoder(ids)[:, :-1].flatten(0, 1)[kept]
    _, nats = cross_entropy(hidden, model.decoder.head_weight, targets[kept])
    torch.testing.assert_close(output.loss, oracle)
    torch.testing.assert_close(output.loss, nats / kept.sum())
    torch.testing.assert_close(model(ids, labels=labels, num_items_in_batch=1).loss, nats)


def test_in_training_the_loss_has_what_predictors_and_routers_learn_by():
    model, ids = model_of(ROUTED).train(), ids_of(3, 15)
    notes = Routing()
    hidden = model.decoder(ids, routing=notes)[:, :-1].flatten(0, 1)
    _, nats = cross_entropy(hidden, model.decoder.head_weight, ids[:, 1:].flatten())
    more = notes.loss(OptimizerConfig.balance_loss)
    assert more > 0
    scored = ids[:, 1:].numel()
    whole = nats / scored + more
    for items, expected in ((None, whole), (2 * scored, whole / 2)):
        found = model(ids, labels=ids, num_items_in_batch=items).loss
        torch.testing.assert_close(found, expected)


def test_fewer_logits_and_tuples():
    model, ids = model_of(CLIPPED), ids_of(2, 9)
    whole = model(ids).logits
    torch.testing.assert_close(model(ids, logits_to_keep=2).logits, whole[:, -2:])
    torch.testing.assert_close(
        model(ids, logits_to_keep=torch.tensor([0, 3])).logits, whole[:, [0, 3]]
    )
    assert torch.equal(model(ids, return_dict=False)[0], whole)


@every_config
@pytest.mark.parametrize("cuts", [[1] * 20, [7, 1, 1, 6, 5]], ids=["steps", "pieces"])
def test_cached_pieces_are_the_whole(config, cuts):
    model, ids, cache, pieces = model_of(config), ids_of(3, 20), None, []
    with torch.no_grad():
        for piece in ids.split(cuts, dim=1):
            output = model(piece, use_cache=True, past_key_values=cache)
            cache = output[CACHE]
            pieces.append(output.logits)
        torch.testing.assert_close(
            torch.cat(pieces, dim=1), model(ids).logits, atol=1e-4, rtol=1e-4
        )
    assert cache.get_seq_length() == 20


# -- padding ---------------------------------------------------------------------------------------


@every_config
def test_padding_changes_no_logits(config):
    """On either side, and whatever the padding's id is."""
    model, ids = model_of(config), ids_of(3, 10)
    with torch.no_grad():
        alone = model(ids).logits
        for left, right in [(1, 0), (7, 0), (0, 3), (4, 5)]:
            mask = F.pad(torch.ones_like(ids), (left, right))
            padded = model(F.pad(ids, (left, right), value=PAD), attention_mask=mask).logits
            torch.testing.assert_close(padded[:, left : left + 10], alone, atol=1e-4, rtol=1e-4)
            assert torch.isfinite(padded).all()
            other = model(F.pad(ids, (left, right), value=7), attention_mask=mask).logits
            assert torch.equal(other[:, left : left + 10], padded[:, left : left + 10])


@every_config
def test_a_row_of_only_padding_has_finite_logits_and_gradients(config):
    model, ids = model_of(config).train(), ids_of(2, 6)
    mask = torch.tensor([[0] * 6, [1] * 6])
    labels = ids.masked_fill(mask == 0, -100)
    output = model(ids, attention_mask=mask, labels=labels)
    output.loss.backward()
    assert torch.isfinite(output.logits).all()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())


@every_config
@pytest.mark.parametrize("options", [{}, {"use_cache": False}, {"num_beams": 3}], ids=str)
def test_a_padded_batch_is_generated_as_each_prompt_alone(config, options):
    model, prompts = model_of(config), [b"In", b"the beginning", b"God created"]
    ids, mask = left_padded(*prompts)
    together = model.generate(ids, attention_mask=mask, **GREEDY, **options)[:, ids.shape[1] :]
    for row, prompt in zip(together, prompts, strict=True):
        alone_ids, alone_mask = left_padded(prompt)
        alone = model.generate(alone_ids, attention_mask=alone_mask, **GREEDY, **options)[
            0, alone_ids.shape[1] :
        ]
        ended = [i for i in row.tolist() if i != PAD]
        assert ended == alone.tolist()


# -- generation ------------------------------------------------------------------------------------


@every_config
def test_greedy_generation_is_that_of_equinfo(config):
    model, tokenizer = model_of(config), tokenizer_of(config)
    ids, mask = left_padded(tokenizer.encode("And God said").tolist())
    (sample,) = equinfo.generate(
        model.decoder, tokenizer, "And God said", context=64, temperature=0, max_ids=12
    )
    for options in (
        {},
        {"use_cache": False},
        {"prompt_lookup_num_tokens": 2},
        {"prefill_chunk_size": 3},
    ):
        processor = [DecodableIds(tokenizer)]
        found = model.generate(
            ids, attention_mask=mask, logits_processor=processor, **options, **GREEDY
        )
        assert found[0, 1:].tolist() == sample.ids + [EOS] * (sample.ended == "eos")


def test_sampling_repeats_with_the_seed_and_draws_no_padding():
    model, (ids, mask) = model_of(CLIPPED), left_padded(b"And")
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        options = {
            "do_sample": True,
            "temperature": 5.0,
            "top_k": 0,
            "max_new_tokens": 60,
            "num_return_sequences": 50,
        }
        draws.append(
            model.generate(ids, attention_mask=mask, suppress_tokens=[PAD, BOS, EOS], **options)[
                :, 4:
            ]
        )
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert int(draws[0].max()) < 256
    unending = model.generate(ids, attention_mask=mask, min_new_tokens=60, **options)[:, 4:]
    assert not ((unending == PAD) | (unending == BOS)).any()


DECODED = [
    "bytes",
    "bpe",
    "codebook-aligned",
    "compiled-rank",
    "equalinfo-counts-32-12",
    "windows-delay",
    "gzip8",
]


@pytest.mark.parametrize("name", DECODED)
def test_with_the_processor_greedy_generation_is_that_of_equinfo(name):
    tokenizer = zoo.make(name)
    ended = set()
    for seed, prompt in enumerate(["In the", "", "Grün"]):
        decoder = decoder_of(
            replace(modern("30k", tokenizer.vocab_size), period=tokenizer.period, bigrams=50), seed
        )
        (sample,) = equinfo.generate(
            decoder, tokenizer, prompt, context=128, temperature=0, max_ids=60
        )
        drawn = sample.ids + [tokenizer.eos_id] * (sample.ended == "eos")
        start = (
            tokenizer.encode(prompt)
            if tokenizer.unit
            else tokenizer.encoder().feed(prompt.encode())
        )
        found = EquinfoForCausalLM.from_lm(decoder, tokenizer, context=128).generate(
            torch.tensor([[tokenizer.bos_id, *start.tolist()]]), max_new_tokens=60, do_sample=False,
            logits_processor=[DecodableIds(tokenizer)],
        )  # fmt: skip
        assert found[0, 1 : 1 + len(drawn)].tolist() == drawn
        ended.add(sample.ended)
    assert "refused" not in ended or tokenizer.unit is None


@pytest.mark.parametrize("name", [name for name in DECODED if name != "gzip8"])
def test_with_the_processor_every_document_that_ends_decodes(name):
    """The model is random: EOS comes anywhere it may; beams and rows end at different times."""
    tokenizer = zoo.make(name)
    model = EquinfoForCausalLM.from_lm(
        Decoder(modern("30k", tokenizer.vocab_size)).initialise(0), tokenizer, 512
    )
    start = torch.full((16, 1), tokenizer.bos_id)
    bias = {(tokenizer.eos_id,): 5.0}
    torch.manual_seed(0)
    options = {
        "temperature": 2.0,
        "max_new_tokens": 100,
        "logits_processor": [DecodableIds(tokenizer)],
    }
    sampled = model.generate(start, do_sample=True, sequence_bias=bias, **options)
    assert (sampled == tokenizer.eos_id).any(1).sum() > 4
    for row in sampled[:, 1:].tolist():
        if tokenizer.eos_id in row:
            tokenizer.decode(row[: row.index(tokenizer.eos_id)])


@pytest.mark.parametrize("name", ["english-16k", "english-equalinfo16"])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_pipeline_writes_what_equinfo_writes(name, batch_size):
    tokenizer, prompts = (
        equinfo.load(name),
        ["In the beginning", "God", "And the evening and the morning"],
    )
    model = EquinfoForCausalLM.from_lm(
        Decoder(modern("30k", tokenizer.vocab_size)).initialise(0), tokenizer, 256
    )
    write = transformers.pipeline(
        "text-generation", model=model, tokenizer=tokenizer.as_hf(padding_side="left")
    )
    options = {
        "do_sample": False,
        "max_new_tokens": 20,
        "logits_processor": [DecodableIds(tokenizer)],
    }
    written = write(prompts, batch_size=batch_size, return_full_text=False, **options)
    samples = equinfo.generate(
        model.decoder, tokenizer, prompts, context=256, max_ids=20, temperature=0
    )
    for (text,), sample in zip(written, samples, strict=True):
        assert text["generated_text"].rstrip("\ufffd") == sample.text.rstrip("\ufffd")


# -- folders ---------------------------------------------------------------------------------------


@every_config
def test_round_trips_keep_every_bit(config, tmp_path):
    """Ours -> theirs -> ours, and theirs -> ours -> theirs."""
    decoder, ids = decoder_of(config, 5).eval(), ids_of(2, 20)
    EquinfoForCausalLM.from_lm(decoder, tokenizer_of(config), context=64).save_pretrained(
        tmp_path / "a"
    )
    written = json.loads((tmp_path / "a" / "config.json").read_text())
    on = {name for name, off in LATER.items() if getattr(config, name) != off}
    assert LATER.keys() & written.keys() == on
    ours = load_lm(tmp_path / "a")
    assert ours.config == config
    assert_same_weights(ours, decoder)
    assert load_train_config(tmp_path / "a").context == 64
    theirs = EquinfoForCausalLM.from_pretrained(tmp_path / "a")
    again = EquinfoForCausalLM.from_lm(tmp_path / "a")
    assert_same_weights(theirs, again)
    with torch.no_grad():
        for logits in (ours.logits(ids), theirs(ids).logits, again(ids).logits):
            assert torch.equal(logits, decoder.logits(ids))
    again.save_pretrained(tmp_path / "b")
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a | b)


def test_many_files_and_bfloat16(tmp_path):
    model, ids = model_of(CLIPPED), ids_of(2, 20)
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    assert_same_weights(load_lm(tmp_path / "shards"), model.decoder)
    low = EquinfoForCausalLM.from_pretrained(tmp_path / "shards", dtype=torch.bfloat16)
    assert {weight.dtype for weight in low.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        torch.testing.assert_close(low(ids).logits, model(ids).logits, atol=0.2, rtol=0.1)
    ids, mask = left_padded(b"In", b"the beginning")
    assert low.generate(ids, attention_mask=mask, min_new_tokens=12, **GREEDY).shape == (2, 26)
    low.save_pretrained(tmp_path / "low")
    assert_same_weights(load_lm(tmp_path / "low"), copy.deepcopy(low.decoder).float())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a training that has learnt the alphabet by heart."""
    folder = tmp_path_factory.mktemp("trained")
    tokenizer = equinfo.load("bytes")
    tokens = api.token_stream(tokenizer, [b"abcdefghij" * 40] * 4)
    training = Training(
        size="30k", steps=60, batch_size=8, context=32, learning_rate=1e-2, warmup_steps=5
    )
    train(training.config(tokenizer.vocab_size, tokenizer.bos_id), tokens.ids, folder)
    return folder


def test_a_saved_folder_is_an_lm_to_equinfo(trained, tmp_path):
    EquinfoForCausalLM.from_lm(trained, equinfo.load("bytes")).save_pretrained(tmp_path)
    stream = api.token_stream(equinfo.load("bytes"), [b"abcdefghij" * 20, b"bcd"])
    assert equinfo.evaluate(tmp_path, "bytes", stream) == equinfo.evaluate(trained, "bytes", stream)
    options = {"prompt": "fghij", "max_ids": 30, "seed": 3}
    assert equinfo.generate(tmp_path, "bytes", **options) == equinfo.generate(
        trained, "bytes", **options
    )
    assert "".join(stream_text(tmp_path, "bytes", "fg", temperature=0, max_ids=8)) == "hijabcde"


def test_a_saved_folder_knows_and_holds_its_tokenizer(trained, tmp_path):
    EquinfoForCausalLM.from_lm(trained, equinfo.load("bytes")).save_pretrained(tmp_path)
    options = {"prompt": "fghij", "max_ids": 30, "seed": 3}
    found = equinfo.generate(tmp_path, **options)
    assert found == equinfo.generate(tmp_path, "bytes", **options)
    assert EquinfoForCausalLM.from_lm(tmp_path).config.tokenizer_name == "Bytes"
    for use in (
        lambda: equinfo.generate(tmp_path, "gzip8", **options),
        lambda: EquinfoForCausalLM.from_lm(tmp_path, equinfo.load("gzip8")),
    ):
        with refuses("with Bytes 3645b436bbb3, not with GZip"):
            use()
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "n_layers": 10**7}))
    with refuses("do not fit its configuration"):
        EquinfoForCausalLM.from_pretrained(tmp_path)


def test_the_auto_classes_find_it(trained, tmp_path):
    AutoConfig.register("equinfo", EquinfoConfig, exist_ok=True)
    AutoModelForCausalLM.register(EquinfoConfig, EquinfoForCausalLM, exist_ok=True)
    model = EquinfoForCausalLM.from_lm(trained)
    model.save_pretrained(tmp_path)
    found = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(found) is EquinfoForCausalLM
    assert_same_weights(found, model)


def test_a_shared_folder_is_read_with_trust_where_nothing_is_registered(trained, tmp_path):
    EquinfoForCausalLM.from_lm(trained).save_pretrained(tmp_path / "shared")
    code = """if True:
        import sys
        from transformers import AutoModelForCausalLM
        assert "equinfo" not in sys.modules
        model = AutoModelForCausalLM.from_pretrained(sys.argv[1], trust_remote_code=True)
        model.save_pretrained(sys.argv[1] + "-again")
        print("made", type(model).__module__)
    """
    again = tmp_path / "shared-again"
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(equinfo.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "shared")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "made equinfo.hf.model" in done.stdout
    assert sorted(file.name for file in again.iterdir()) == sorted(
        f.name for f in (tmp_path / "shared").iterdir()
    )
    assert (again / "modeling_equinfo.py").read_text().count("\n") == 1


def test_the_configuration_keeps_every_field(tmp_path):
    config = EquinfoConfig.of(
        replace(CLIPPED, tied=True, rope_base=5.0), 77, equinfo.load("bytes"), use_cache=False
    )
    config.save_pretrained(tmp_path)
    again = EquinfoConfig.from_pretrained(tmp_path)
    assert again.to_dict() == config.to_dict()
    assert asdict(again.decoder_config) == asdict(replace(CLIPPED, tied=True, rope_base=5.0))
    standard = (
        again.hidden_size,
        again.num_hidden_layers,
        again.num_attention_heads,
        again.max_position_embeddings,
    )
    assert standard == (32, 2, 2, 77)
    assert (again.pad_token_id, again.bos_token_id, again.eos_token_id) == (PAD, BOS, EOS)
    assert again.tokenizer_fingerprint == equinfo.load("bytes").fingerprint
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "equinfo"


def test_an_m1_has_one_special_id(tmp_path):
    config = Training(size="30k", steps=1, batch_size=1, context=8).config(257, 256)
    train(config, api.byte_stream([b"In the beginning"]), tmp_path)
    model = EquinfoForCausalLM.from_lm(tmp_path)
    special = (model.config.bos_token_id, model.config.eos_token_id, model.config.pad_token_id)
    assert special == (256, 256, None)
    model.save_pretrained(tmp_path / "hf")
    assert load_train_config(tmp_path / "hf").bos_id == 256


# -- a model among models --------------------------------------------------------------------------


def test_new_models_are_drawn_as_initialise_draws():
    zeros = EquinfoForCausalLM(EquinfoConfig.of(TOLD, 64)).decoder
    assert not any(zeros.get_parameter(name).any() for name in ZEROS)
    torch.manual_seed(3)
    model, again = EquinfoForCausalLM(EquinfoConfig()), EquinfoForCausalLM(EquinfoConfig())
    peer = Decoder(model.config.decoder_config).initialise(0)
    for (name, weight), expected in zip(
        model.decoder.named_parameters(), peer.parameters(), strict=True
    ):
        assert (
            abs(weight.std() / expected.std() - 1) < 0.05
            if weight.dim() == 2
            else bool((weight == 1).all())
        ), name
    torch.manual_seed(3)
    assert_same_weights(EquinfoForCausalLM(EquinfoConfig()), model)
    assert not torch.equal(again.decoder.embed.weight, model.decoder.embed.weight)
    assert model.num_parameters() == sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize("config", [CLIPPED, TIED], ids=["apart", "tied"])
def test_more_ids_keep_the_old_ones(config, tmp_path):
    model, ids = model_of(config), ids_of(2, 9)
    before = model(ids).logits
    model.resize_token_embeddings(320)
    after = model(ids).logits
    assert after.shape[2] == 320
    assert torch.equal(after[:, :, :259], before)
    model.save_pretrained(tmp_path)
    assert torch.equal(EquinfoForCausalLM.from_pretrained(tmp_path)(ids).logits, after)
    assert torch.equal(load_lm(tmp_path).logits(ids), after)


def test_checkpointed_blocks_have_the_same_gradients():
    model, ids = model_of(CLIPPED).train(), ids_of(2, 9)
    mask = torch.tensor([[0] * 3 + [1] * 6, [1] * 9])

    def gradients():
        model.zero_grad()
        model(ids, attention_mask=mask, labels=ids).loss.backward()
        return [weight.grad.clone() for weight in model.parameters()]

    plain = gradients()
    assert all(gradient.abs().max() > 0 for gradient in plain)
    model.gradient_checkpointing_enable()
    assert model.decoder.checkpoint_blocks
    for a, b in zip(plain, gradients(), strict=True):
        torch.testing.assert_close(a, b)
    model.gradient_checkpointing_disable()
    assert not model.decoder.checkpoint_blocks


def test_pickles_and_copies_are_equal():
    model, ids = model_of(TIED), ids_of(1, 5)
    model.generate(ids, **GREEDY)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert torch.equal(other(ids).logits, model(ids).logits)
    assert model.to(torch.bfloat16)(ids).logits.dtype == torch.float32


# -- bad input -------------------------------------------------------------------------------------


def refuses(message):
    return pytest.raises(EquinfoError, match=message)


def test_folders_that_are_not_such_a_model(trained, tmp_path):
    with refuses("from_lm reads it"):
        EquinfoForCausalLM.from_pretrained(trained)
    LlamaConfig().save_pretrained(tmp_path)
    with refuses("'llama' model"):
        EquinfoForCausalLM.from_pretrained(tmp_path)
    with refuses("'llama' model"):
        load_lm(tmp_path)
    with refuses("'llama' model"):
        equinfo.generate(tmp_path, "bytes", "a")


@pytest.mark.parametrize("damage", ["shape", "missing", "unexpected", "no file", "cut"])
def test_weights_that_are_not_the_configs(damage, tmp_path):
    model_of(CLIPPED).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    if damage == "shape":
        weights["decoder.blocks.1.q.weight"] = torch.zeros(32, 33)
    elif damage == "missing":
        del weights["decoder.head.weight"]
    else:
        weights["decoder.blocks.2.q.weight"] = torch.zeros(3)
    save_file(weights, file, metadata={"format": "pt"})
    if damage == "no file":
        file.unlink()
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    with refuses("the weights in"):
        load_lm(tmp_path)
    if damage in ("shape", "missing", "unexpected"):
        with refuses("the weights in"):
            EquinfoForCausalLM.from_pretrained(tmp_path)


def test_a_config_that_lacks_a_part(tmp_path):
    model_of(CLIPPED).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    values = json.loads(file.read_text())
    del values["d_ff"]
    file.write_text(json.dumps(values))
    with refuses("lacks 'd_ff'"):
        load_lm(tmp_path)
    file.write_text("{")
    with refuses("cannot be read as JSON"):
        load_lm(tmp_path)


def test_tokenizers_that_it_was_not_trained_with():
    model = model_of(CLIPPED)
    with refuses("259 ids and GZip"):
        EquinfoForCausalLM.from_lm(model.decoder, equinfo.load("gzip16"), context=64)
    with refuses("259 ids and GZip"):
        model.generate(ids_of(1, 3), logits_processor=[DecodableIds(equinfo.load("gzip16"))])
    model.config.check_tokenizer(equinfo.load("bytes"))
    model.config.check_tokenizer(equinfo.load("bytes").as_hf())
    with refuses("was trained with Bytes 3645b436bbb3, not with GZip"):
        model.config.check_tokenizer(equinfo.load("gzip8"))
    with refuses("needs `context`"):
        EquinfoForCausalLM.from_lm(model.decoder)


def test_calls_that_cannot_be_answered():
    model, ids = model_of(CLIPPED), ids_of(2, 5)
    with refuses(r"attention_mask is \(2, 4\); rows and positions are \(2, 5\)"):
        model(ids, attention_mask=torch.ones(2, 4))
    with refuses("StaticCache has a fixed size"):
        model.generate(ids, cache_implementation="static", **GREEDY)
    with refuses("hidden states are not kept"):
        model(ids, output_hidden_states=True)
    with refuses("keeps its vocabulary"):
        model_of(TOLD).resize_token_embeddings(320)
    with refuses("every_n_layers"):
        model._set_gradient_checkpointing(every_n_layers=2)


def test_the_processor_asks_for_what_equinfo_generates_with():
    """Row by row, of the document under way: after EOS another one begins."""
    tokenizer = zoo.make("bpe")
    ids = [tokenizer.bos_id, *tokenizer.encode("Grün").tolist(), tokenizer.eos_id]
    rows = torch.tensor([ids, [tokenizer.pad_id, *ids[:-1]]])
    scores = DecodableIds(tokenizer)(rows, torch.zeros(2, tokenizer.vocab_size))
    document = np.empty(0, dtype=np.int64)
    assert torch.equal(
        torch.isfinite(scores[0, : tokenizer.code_size]),
        torch.from_numpy(tokenizer.allowed(document)),
    )
    assert torch.isfinite(scores[:, tokenizer.eos_id]).all()
    assert torch.isinf(scores[:, [tokenizer.pad_id, tokenizer.bos_id]]).all()


# -- the canonical mask ----------------------------------------------------------------------------


def test_the_canonical_mask_goes_along(tmp_path):
    """The same logits as the decoder's, trained with, saved in any type, and read by both."""
    mask = {"canonical.offsets": np.append(np.arange(258), [257, 257])}
    mask["canonical.ranges"] = np.tile(np.array([[64, 128]], dtype=np.int32), (257, 1))
    mask["canonical.ranges"][PAD] = [PAD, EOS]
    config = replace(modern("30k", 259), canonical=257)
    decoder = Decoder(config).initialise(0)
    weights = {name: torch.from_numpy(array) for name, array in mask.items()}
    decoder.load_state_dict({**decoder.state_dict(), **weights})
    model, ids = (
        EquinfoForCausalLM.from_lm(decoder, equinfo.load("bytes"), context=64),
        ids_of(2, 9),
    )
    labels = ids.clamp(max=63)
    labels[0, 3:5] = torch.tensor([PAD, BOS])  # as between texts that share a row
    out = model(ids, labels=labels)
    assert out.loss.isfinite()
    assert torch.equal(out.logits, decoder.logits(ids))
    assert out.logits[..., 64:128].isneginf().all()
    out.loss.backward()
    assert decoder.embed.weight.grad.isfinite().all()
    for dtype in (torch.float32, torch.bfloat16):
        folder = tmp_path / str(dtype)
        model.to(dtype).save_pretrained(folder)
        back = EquinfoForCausalLM.from_pretrained(folder, dtype=dtype)
        for read in (back.decoder, load_lm(folder)):
            assert (
                read.state_dict()["canonical.ranges"].tolist() == mask["canonical.ranges"].tolist()
            )
        drawn = back.generate(ids, **GREEDY)[:, 9:]
        assert not ((drawn >= 64) & (drawn < 128)).any()
    with pytest.raises(EquinfoError, match="has a canonical mask, keeps its vocabulary"):
        back.resize_token_embeddings(300)
    stored = load_file(folder / "model.safetensors")
    stored["decoder.canonical.ranges"][0, 1] = 300
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    for read in (EquinfoForCausalLM.from_pretrained, load_lm):
        with pytest.raises(EquinfoError, match=f"canonical mask in .*{folder.name} is none"):
            read(folder)
    save_file(
        {**stored, "decoder.canonical.ranges": torch.zeros(257, 2)}, folder / "model.safetensors"
    )
    with pytest.raises(EquinfoError, match="are F32, not one of I32"):
        load_lm(folder)
