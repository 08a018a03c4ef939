"""Small LMs of random weights over tokenizers of every kind of seam."""

from dataclasses import replace
from functools import cache

import tokenizer_zoo as zoo
import torch
from lm_eval.api.instance import Instance

import equinfo
from equinfo.harness import EquinfoLM
from equinfo.lm.config import modern
from equinfo.lm.decoder import ZEROS, Decoder

CONTEXT = 64
NAMES = [
    "bytes",
    "bpe",
    "english-16k",
    "codebook-fewest",
    "compiled-halves",
    "equalinfo-counts-32-12",
    "ac-counts-8",
]


@cache
def make(name: str, context: int = CONTEXT, batch_size: int = 4) -> EquinfoLM:
    tokenizer = equinfo.load(name) if name.startswith("english") else zoo.make(name)
    told = {"period": tokenizer.period, "bigrams": 50, "shares": True}
    model = Decoder(replace(modern("30k", tokenizer.vocab_size), **told)).initialise(1)
    generator = torch.Generator().manual_seed(1)
    for weight in map(model.get_parameter, ZEROS[tokenizer.period == 1 :]):
        torch.nn.init.normal_(weight, generator=generator)
    return EquinfoLM(model, tokenizer, context=context, batch_size=batch_size)


def requests(kind: str, *arguments: tuple) -> list[Instance]:
    return [Instance(kind, {}, one, 0) for one in arguments]
