"""datasets: one hash for equal tokenizers; `map` finds its cache; processes change nothing."""

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import tokenizer_zoo as zoo

datasets = pytest.importorskip("datasets")
from datasets.fingerprint import Hasher  # noqa: E402

from equinfo.hf.tokenizer import EquinfoTokenizer  # noqa: E402

HERE = Path(__file__).parent
TEXTS = [*[document.decode()[:400] for document in zoo.training_text()][:40], "", "🙂 é"]
NAMES = ["codebook-free", "bpe", "compiled-whole", "equalinfo-static-16-8", "bytes"]


@pytest.fixture(params=NAMES)
def tokenizer(request):
    return zoo.make(request.param).as_hf()


def test_the_hash_is_the_same_before_and_after_use_and_for_copies(tokenizer, tmp_path):
    before = Hasher.hash(tokenizer)
    tokenizer(TEXTS, padding=True, truncation=True, max_length=10, return_offsets_mapping=True)
    tokenizer.decode(tokenizer(TEXTS[0])["input_ids"])
    tokenizer.get_vocab()
    tokenizer.save_pretrained(tmp_path)
    stored = EquinfoTokenizer.from_pretrained(tmp_path)
    copies = [tokenizer, copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer)), stored]
    assert [Hasher.hash(one) for one in copies] == [before] * 4
    tokenizer.padding_side = "left"
    assert Hasher.hash(tokenizer) != before
    assert Hasher.hash(zoo.make("codebook-aligned").as_hf()) != before


TWICE = """
import sys, pathlib
from equinfo.hf.tokenizer import EquinfoTokenizer
import datasets
from datasets.fingerprint import Hasher
folder = pathlib.Path(sys.argv[1])
files, cache = str(folder / "texts.jsonl"), str(folder / "cache")
data = datasets.load_dataset("json", data_files=files, split="train", cache_dir=cache)
tokenizer = EquinfoTokenizer.from_pretrained(folder / "tokenizer")
def encode(rows):
    (folder / "calls").open("a").write("x")
    return tokenizer(rows["text"])
print(Hasher.hash(tokenizer), Hasher.hash(lambda rows: tokenizer(rows["text"])))
for _ in range(2):
    mapped = data.map(encode, batched=True, batch_size=1000)
    print(sum(map(len, mapped["input_ids"])))
"""


def test_the_hash_is_the_same_in_every_process_so_map_finds_its_cache(tmp_path):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    (tmp_path / "texts.jsonl").write_text(lines)
    tokenizer = zoo.make("codebook-free").as_hf()
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    paths = {"PYTHONPATH": str(HERE.parents[1]), "HF_HOME": str(tmp_path / "home")}
    first, second = (
        subprocess.check_output(
            [sys.executable, "-c", imports + TWICE, tmp_path],
            env={**os.environ, **paths, "PYTHONHASHSEED": seed},
            text=True,
        )
        for seed, imports in (("1", ""), ("2", "import datasets"))
    )
    assert first == second
    assert first.split()[0] == Hasher.hash(tokenizer)
    assert first.split()[2:] == [str(sum(map(len, tokenizer(TEXTS)["input_ids"])))] * 2
    assert (tmp_path / "calls").read_text() == "x"


def test_processes_change_nothing(tokenizer):
    rows = datasets.Dataset.from_dict({"text": TEXTS})
    one, two = (
        rows.map(lambda batch: dict(tokenizer(batch["text"])), batched=True, num_proc=count)
        for count in (None, 2)
    )
    assert one["input_ids"][:] == two["input_ids"][:] == tokenizer(TEXTS)["input_ids"]
    assert one["attention_mask"][:] == two["attention_mask"][:]
