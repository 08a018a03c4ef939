"""transformers.Trainer takes the steps of our own loop, and trains as it does any model."""

import json

import datasets
import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

import equinfo
from equinfo import api
from equinfo.corpora import load_corpus, take
from equinfo.hf.config import EquinfoConfig
from equinfo.hf.model import EquinfoForCausalLM
from equinfo.lm.config import Training, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.optimize import learning_rate, make_optimizer
from equinfo.lm.sequences import Sequences
from equinfo.lm.train import load_lm, train

STEPS, ROWS, CONTEXT = 20, 8, 64


def arguments(folder, **options):
    defaults = {"report_to": "none", "use_cpu": True, "disable_tqdm": True, "save_strategy": "no"}
    options = {"per_device_train_batch_size": ROWS, "max_steps": STEPS, **defaults, **options}
    return TrainingArguments(output_dir=str(folder), **options)


class Noting(Trainer):
    """Keeps the loss of every step: what a Trainer logs may be rounded."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.losses = []

    def training_step(self, *args, **options):
        loss = super().training_step(*args, **options)
        self.losses.append(float(loss) * self.args.gradient_accumulation_steps)
        return loss


class Rows(torch.utils.data.Dataset):
    """Our loop's sequences in its order: BOS and the ids; BOS is no one's target."""

    def __init__(self, sequences, bos_id):
        _, targets = sequences.batch(0, STEPS * ROWS)
        self.firsts = sequences.firsts(range(STEPS * ROWS))
        self.rows = np.pad(targets, ((0, 0), (1, 0)), constant_values=bos_id)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        row = torch.from_numpy(self.rows[number])
        labels = torch.cat([torch.tensor([-100]), row[1:]])
        return {"input_ids": row, "labels": labels, "first": int(self.firsts[number])}


@pytest.fixture(scope="module")
def ids():
    text = take(load_corpus("bundled").documents("train"), 30_000)
    return api.token_stream(equinfo.load("bytes"), text).ids


@pytest.mark.parametrize(
    ("parts", "period"),
    [(1, 1), (2, 1), (2, 3)],
    ids=["whole batches", "accumulated", "told places"],
)
def test_the_losses_are_those_of_our_loop(ids, tmp_path, parts, period):
    tokenizer = equinfo.load("bytes")
    training = Training(
        size="30k", steps=STEPS, batch_size=ROWS, context=CONTEXT, seed=3, learning_rate=5e-3,
        warmup_steps=5,
    )  # fmt: skip
    config = training.config(tokenizer.vocab_size, tokenizer.bos_id, period)
    train(config, ids, tmp_path / "ours")
    expected = [
        json.loads(line)["loss"]
        for line in (tmp_path / "ours" / "metrics.jsonl").read_text().splitlines()
    ]

    model = EquinfoForCausalLM.from_lm(
        Decoder(config.model).initialise(config.seed), context=CONTEXT
    )
    optimizer = make_optimizer(config.optimizer, model.decoder)

    def share(done: int) -> float:
        return learning_rate(config.optimizer, done + 1, STEPS) / config.optimizer.learning_rate

    trainer = Noting(
        model,
        arguments(
            tmp_path / "theirs", max_grad_norm=config.optimizer.clip,
            per_device_train_batch_size=ROWS // parts, gradient_accumulation_steps=parts,
        ),
        train_dataset=Rows(
            Sequences(ids, CONTEXT, tokenizer.bos_id, config.seed, config.model), tokenizer.bos_id
        ),
        optimizers=(optimizer, LambdaLR(optimizer, share)),
    )  # fmt: skip
    trainer._get_train_sampler = lambda *_: torch.utils.data.SequentialSampler(
        trainer.train_dataset
    )
    trainer.train()
    losses = np.array(trainer.losses).reshape(STEPS, parts).mean(axis=1)
    assert expected[0] - expected[-1] > 0.5
    np.testing.assert_allclose(losses, expected, atol=1e-4, rtol=0)
    ours = load_lm(tmp_path / "ours")
    for weight, other in zip(ours.parameters(), model.decoder.parameters(), strict=True):
        torch.testing.assert_close(weight, other.detach(), atol=1e-3, rtol=1e-2)


def test_a_plain_trainer_learns_saves_and_evaluates(tmp_path):
    """A Dataset of texts, tokenised by `map`, padded by the collator, checkpointed blocks."""
    tokenizer = equinfo.load("bytes")
    hf_tokenizer = tokenizer.as_hf()
    texts = datasets.Dataset.from_dict({"text": ["abcdefghij" * n for n in range(1, 9)] * 8})
    rows = texts.map(lambda row: hf_tokenizer(row["text"]), remove_columns=["text"])
    torch.manual_seed(0)
    model = EquinfoForCausalLM(
        EquinfoConfig.of(modern("30k", tokenizer.vocab_size), 128, tokenizer)
    )
    saved = {"save_strategy": "steps", "save_steps": 30, "max_steps": 30}
    trainer = Noting(
        model,
        arguments(
            tmp_path,
            learning_rate=1e-2,
            gradient_checkpointing=True,
            per_device_eval_batch_size=4,
            **saved,
        ),
        train_dataset=rows,
        eval_dataset=rows.select(range(6)),
        processing_class=hf_tokenizer,
        data_collator=DataCollatorForLanguageModeling(hf_tokenizer, mlm=False),
    )
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    after = trainer.evaluate()["eval_loss"]
    assert before > 4
    assert after < before / 2
    assert trainer.predict(rows.select(range(2))).predictions.shape[2] == tokenizer.vocab_size
    again = EquinfoForCausalLM.from_pretrained(tmp_path / "checkpoint-30")
    assert torch.equal(again.decoder.embed.weight, model.decoder.embed.weight)
    assert equinfo.generate(
        tmp_path / "checkpoint-30", "bytes", "abcdefghijabc", temperature=0, max_ids=4
    )
