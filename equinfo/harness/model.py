"""The model "equinfo" of lm-evaluation-harness: an equinfo decoder and its tokenizer."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import lm_eval.models  # noqa: F401  # fills the registry, only while that is empty
import numpy as np
import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import simple_parse_args_string

from equinfo.errors import EquinfoError
from equinfo.generation import generate, pair
from equinfo.harness.joining import common, tiles
from equinfo.harness.scoring import Scored, score
from equinfo.lm.decoder import Decoder
from equinfo.lm.train import best_device
from equinfo.tokenizers.base import Tokenizer

SAMPLING = ("temperature", "top_k", "top_p", "seed")
"""Of generation_kwargs, what `generate` takes; `until`, `max_gen_toks`, `do_sample` are ours."""


@register_model("equinfo")
class EquinfoLM(LM):
    """lm: an M2's training folder, or a decoder. tokenizer: what it was trained with, or its name;
    the folder holds it.

    context: ids a sequence, BOS included; by default what the folder says. batch_size: sequences a
    pass. device: where the decoder of a folder runs; by default, and instead of a CUDA that is not
    there, the best there is. max_batch_size is for harness's sake and not used. Raises EquinfoError
    where LM and tokenizer do not fit.
    """

    def __init__(
        self,
        lm: Decoder | Path | str | None = None,
        tokenizer: Tokenizer | Path | str | None = None,
        context: int | None = None,
        batch_size: int | str = 32,
        device: str | None = None,
        max_batch_size: int | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        if unknown:
            raise EquinfoError(
                f"unknown model_args {', '.join(unknown)}: there are lm, tokenizer, context,"
                " batch_size"
            )
        if lm is None:
            raise EquinfoError('the model "equinfo" needs model_args lm=FOLDER')
        found = pair(lm, tokenizer, context and int(context))
        self.tokenizer = found.tokenizer
        self.model = found.model
        self.context = found.context
        if not isinstance(lm, Decoder):
            self.model.to(_device(device))
        self.batch_size = _whole(batch_size)
        self._device = self.model.embed.weight.device

    @classmethod
    def create_from_arg_obj(
        cls, arg_dict: dict[str, Any], additional_config: dict[str, Any] | None = None
    ) -> Self:
        """model_args win over harness's own options: its batch_size is 1 where none is given."""
        more = (additional_config or {}).items()
        given = {name: value for name, value in more if value is not None}
        return cls(**{**given, **arg_dict})

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: dict[str, Any] | None = None
    ) -> Self:
        return cls.create_from_arg_obj(simple_parse_args_string(arg_string), additional_config)

    # -- what harness calls ------------------------------------------------------------------------

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """(ll(b | a) in nats, whether greedy decoding writes b) of each (context a, continuation
        b).

        See joining.py for ll; it may exceed 0. a and b are joined as they are: spaces at the end of
        a need not move to b, since a + b is encoded whole. Greedy: all ids of a + b after those it
        shares with a, in whole windows, are the likeliest. Exact while the ids fit the LM's
        context; of longer texts the last ids are read.
        """
        pairs = _args(requests)
        wholes = self._encoded([a + b for a, b in pairs])
        contexts = self._encoded([a for a, _ in pairs])
        unit = self.tokenizer.unit or 1
        shared = [common(a, ab, unit) for a, ab in zip(contexts, wholes, strict=True)]
        joint = self._tails(wholes, shared)
        before = self._tails(contexts, shared)
        return [(c.nats - ab.nats, ab.right) for ab, c in zip(joint, before, strict=True)]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Minus the nats that lm.evaluate.evaluate finds of each text as a stream of one document.

        EOS counts, tiles begin with BOS and do not overlap: our bits/byte, not a sliding window's.
        """
        documents = self._encoded([text for (text,) in _args(requests)])
        streams = [np.append(ids, self.tokenizer.eos_id) for ids in documents]
        size = self.context
        rows = [[(at, ids[at : at + size]) for at in range(0, len(ids), size)] for ids in streams]
        return [-found.nats for found in self._sums(rows)]

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """What the LM writes after each context, to the first of `until`, EOS, max_gen_toks (256).

        Greedy unless do_sample. Prompts that would outgrow the LM's context are continued one by
        one and others in batches, so that a greedy text does not depend on what else is asked.
        """
        texts = [""] * len(requests)
        for numbers, options in self._batches(requests):
            prompts = [requests[number].args[0] for number in numbers]
            written = generate(self.model, self.tokenizer, prompts, context=self.context, **options)
            for number, one in zip(numbers, written, strict=True):
                stops = normalize_gen_kwargs(requests[number].args[1])["until"]
                texts[number] = until(one.text, stops)
        return texts

    def get_model_info(self) -> dict[str, Any]:
        """What harness notes with its results."""
        return {
            "tokenizer": self.tokenizer.name,
            "fingerprint": self.tokenizer.fingerprint,
            "context": self.context,
            "parameters": self.model.config.parameters,
        }

    # -- their steps -------------------------------------------------------------------------------

    def _encoded(self, texts: list[str]) -> list[np.ndarray]:
        """Ids of each text, int64[n]; none of "", though an empty document may have some (AC)."""
        distinct = list(dict.fromkeys(filter(None, texts)))
        found = dict(zip(distinct, self.tokenizer.encode_batch(distinct), strict=True))
        return [found.get(text, np.empty(0)).astype(np.int64) for text in texts]

    def _tails(self, streams: list[np.ndarray], first: list[int]) -> list[Scored]:
        """Of each stream the ids from `first` on."""
        unit = self.tokenizer.unit or 1
        size = self.context // unit * unit or self.context
        return self._sums([tiles(ids, at, size) for ids, at in zip(streams, first, strict=True)])

    def _sums(self, groups: list[list[tuple[int, np.ndarray]]]) -> list[Scored]:
        """Each group's rows together."""
        rows = [row for group in groups for row in group]
        bos_id = self.tokenizer.bos_id
        found = iter(score(self.model, rows, bos_id=bos_id, batch_size=self.batch_size))
        return [sum((next(found) for _ in group), Scored()) for group in groups]

    def _batches(self, requests: list[Instance]) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """(numbers, options of `generate`) of each batch of requests, prompts of similar length."""
        lengths = [len(ids) for ids in self._encoded([context for context, _ in _args(requests)])]
        options = [_options(request.args[1]) for request in requests]

        def alike(number: int) -> tuple[Any, ...]:
            outgrows = 1 + lengths[number] + options[number]["max_ids"] > self.context
            return outgrows, number if outgrows else 0, sorted(options[number].items())

        numbers = sorted(range(len(requests)), key=lambda number: (alike(number), lengths[number]))
        for _, group in groupby(numbers, alike):
            some = list(group)
            for at in range(0, len(some), self.batch_size):
                batch = some[at : at + self.batch_size]
                first = options[batch[0]]
                # its number, or the same prompt in two batches has one text
                yield batch, {**first, "seed": first.get("seed", 0) + batch[0]}


def _args(requests: list[Instance]) -> list[tuple[Any, ...]]:
    return [request.args for request in requests]


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """A task's generation_kwargs as `generate`'s. Raises EquinfoError for what it does not have."""
    known = dict(normalize_gen_kwargs(given))
    most = known.pop("max_gen_toks")
    sampled = known.pop("do_sample")
    known.pop("until")
    unknown = sorted(set(known) - set(SAMPLING))
    if unknown:
        options = ", ".join((*SAMPLING, "until", "max_gen_toks", "do_sample"))
        raise EquinfoError(
            f"generation_kwargs {', '.join(unknown)} cannot be had; there are {options}"
        )
    return {"temperature": 1.0 if sampled else 0.0, **known, "max_ids": most}


def until(text: str, stops: list[str]) -> str:
    """`text` up to the first place where one of `stops` begins."""
    found = [text.find(stop) for stop in stops if stop]
    return text[: min([at for at in found if at >= 0], default=len(text))]


def _whole(batch_size: int | str) -> int:
    """Harness passes words on: "auto" lets the model choose."""
    if str(batch_size).startswith("auto"):
        return 32
    if not str(batch_size).isdecimal() or int(batch_size) < 1:
        raise EquinfoError(f'batch_size is {batch_size!r}: it must be at least 1, or "auto"')
    return int(batch_size)


def _device(name: str | None) -> torch.device:
    if name is None or (name.startswith("cuda") and not torch.cuda.is_available()):
        return best_device()
    return torch.device(name)
