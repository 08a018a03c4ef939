"""Text from text: where a tokenizer and an M2 meet."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from equinfo.errors import EquinfoError, needing
from equinfo.files import as_path
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.incremental import TextDecoder
from equinfo.tokenizers.registry import kept, load
from equinfo.tokenizers.utf8 import Text, as_bytes

if TYPE_CHECKING:
    from equinfo.lm.config import DecoderConfig
    from equinfo.lm.decoder import Decoder


@dataclass
class Generation:
    """One sample: its ids (the prompt's first) and the text after the prompt.

    ended: "eos" where the model ended the document, "length" at max_ids, "refused" where the ids
    stopped decoding (possible only for streams whose ids have no bytes of their own).
    """

    text: str = ""
    ids: list[int] = field(default_factory=list)
    ended: str = ""


@dataclass(frozen=True)
class Pair:
    """An LM and the tokenizer of its ids. context: ids a sequence in training; bos_id begins it."""

    model: "Decoder"
    tokenizer: Tokenizer
    context: int
    bos_id: int


def pair(
    lm: "Decoder | Path | str",
    tokenizer: Tokenizer | Path | str | None = None,
    context: int | None = None,
) -> Pair:
    """The LM, or that in a folder, and its tokenizer (see `tokenizer_of`). context: by default the
    folder's.
    """
    with needing("lm", "a language model"):
        from equinfo.lm.decoder import Decoder
        from equinfo.lm.train import load_lm, load_train_config
    if not isinstance(lm, Decoder):
        lm = as_path(lm)
        chosen = tokenizer_of(lm, tokenizer)
        config = load_train_config(lm)
        return Pair(load_lm(lm), chosen, context or config.context, config.bos_id)
    if context is None or tokenizer is None:
        raise EquinfoError(
            "a decoder without its training folder needs `context`, the ids a sequence it was"
            " trained on, and its tokenizer"
        )
    chosen = load(tokenizer)
    check_fit(lm.config, chosen)
    return Pair(lm.eval(), chosen, context, chosen.bos_id)


def tokenizer_of(lm: Path | str, tokenizer: Tokenizer | Path | str | None = None) -> Tokenizer:
    """The tokenizer of the LM in a folder: the one kept in it, or the one named, which must be it.

    Raises EquinfoError where it is another. Folders that older versions wrote say nothing of it:
    then sizes alone are compared, and a warning says so.
    """
    with needing("lm", "a language model"):
        from equinfo.lm.train import load_train_config, trained_with
    config = load_train_config(lm)
    trained = trained_with(lm)
    chosen = kept(lm) if tokenizer is None else load(tokenizer)
    if chosen is None:
        known = f" ({trained})" if trained else ""
        raise EquinfoError(f"{lm} does not hold its tokenizer{known}: name it (-t T, `tokenizer`)")
    if trained is not None:
        trained.check(chosen.identity, lm, "trained with")
    check_fit(config.model, chosen, lm)
    if trained is None and tokenizer is not None:
        warnings.warn(
            f"{lm} does not say which tokenizer it was trained with: that it was {chosen.name}"
            " cannot be checked",
            stacklevel=2,
        )
    return chosen


def generate(
    lm: "Decoder | Path | str",
    tokenizer: Tokenizer | Path | str | None = None,
    prompt: Text | list[Text] = "",
    *,
    context: int | None = None,
    max_ids: int = 256,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    samples: int = 1,
) -> list[Generation]:
    """Continue texts with a language model over a tokenizer's ids, with cached keys and values.

    lm: a decoder, or the folder of its training. tokenizer: the one it was trained with (an object,
    name or folder); the folder holds it. prompt: one text or several. context: ids a sequence; by
    default what the folder says. max_ids: to draw for each. temperature (0: greedy), top_k (0:
    all), top_p, seed: see lm/sample.py. samples: of each prompt. Only ids that decode are drawn:
    subwords break no UTF-8 character, and no window stays unfinished unless max_ids cuts it.

    Returns samples of the first prompt, then of the next. The same seed gives the same texts,
    whatever else is in the batch. Raises EquinfoError where LM and tokenizer do not fit.
    """
    prompts = prompt if isinstance(prompt, list) else [prompt]
    rows = [one for one in prompts for _ in range(samples)]
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    run = _Run(lm, tokenizer, rows, context, max_ids, options)
    for _ in run.steps():
        pass
    return run.results


def stream(
    lm: "Decoder | Path | str",
    tokenizer: Tokenizer | Path | str | None = None,
    prompt: Text = "",
    **options: int | float | None,
) -> Iterator[str]:
    """As `generate` for one sample, text as soon as it is certain: no character is ever cut."""
    context = options.pop("context", None)
    max_ids = options.pop("max_ids", 256)
    run = _Run(lm, tokenizer, [prompt], context, max_ids, options)  # type: ignore[arg-type]
    for pieces in run.steps():
        if pieces[0]:
            yield pieces[0]


def check_fit(model: "DecoderConfig", tokenizer: Tokenizer, lm: Path | str = "the LM") -> None:
    """Raises EquinfoError where an LM was not trained on this tokenizer's ids."""
    if model.vocab_size != tokenizer.vocab_size:
        raise EquinfoError(
            f"{lm} has {model.vocab_size} ids and {tokenizer.name} {tokenizer.vocab_size}: "
            "name the tokenizer it was trained with"
        )
    if model.period not in (1, tokenizer.period):
        raise EquinfoError(
            f"{lm} is told places in units of {model.period} ids and those of {tokenizer.name}"
            f" have {tokenizer.period}: name the tokenizer it was trained with"
        )


class _Run:
    """Rows under way; `results` grows step by step."""

    def __init__(
        self,
        lm: "Decoder | Path | str",
        tokenizer: Tokenizer | Path | str | None,
        prompts: list[Text],
        context: int | None,
        max_ids: int,
        options: dict,
    ) -> None:
        with needing("lm", "a language model"):
            from equinfo.lm.sample import Sampling
        if max_ids < 1:
            raise EquinfoError(f"max_ids is {max_ids}: it must be at least 1")
        if not prompts:
            raise EquinfoError("there is no prompt and no sample to make")
        self.pair = pair(lm, tokenizer, context)
        self.tokenizer = self.pair.tokenizer
        self.sampling = Sampling(**options)
        self.max_ids = max_ids
        self.rows = [_Row(self.tokenizer, as_bytes(prompt)) for prompt in prompts]

    @property
    def results(self) -> list[Generation]:
        return [row.result for row in self.rows]

    def steps(self) -> Iterator[list[str]]:
        """Each step's new text of every row."""
        from equinfo.lm.sample import sample

        def ids(row: _Row) -> np.ndarray:
            return np.array(row.result.ids, dtype=np.int64)

        longest = max(len(row.result.ids) for row in self.rows)
        drawn = sample(
            self.pair.model,
            [ids(row) for row in self.rows],
            bos_id=self.tokenizer.bos_id,
            context=min(self.pair.context, 1 + longest + self.max_ids),
            sampling=self.sampling,
            mask=lambda number: self.tokenizer.may_follow(ids(self.rows[number])),
        )
        while not all(row.result.ended for row in self.rows):
            pairs = zip(self.rows, next(drawn), strict=True)
            yield [row.take(int(i), self.max_ids) for row, i in pairs]


class _Row:
    """One sample: what it has drawn and what that means."""

    def __init__(self, tokenizer: Tokenizer, prompt: bytes) -> None:
        self.tokenizer = tokenizer
        self.decoder = TextDecoder(tokenizer)
        # Of a stream that ends itself, a prompt is what is certain without that.
        certain = tokenizer.encoder().feed if tokenizer.ends_itself else tokenizer.encode
        ids = certain(prompt)
        self.result = Generation(ids=[int(i) for i in ids])
        shown = self.decoder.feed(ids)
        self.hidden = len(prompt.decode("utf-8", "replace")) - len(shown)  # of it, yet to come
        self.drawn = 0

    def take(self, drawn: int, max_ids: int) -> str:
        """Note a drawn id (-1: none); the text that it made certain."""
        if drawn < 0 or self.result.ended:
            return ""
        self.drawn += 1
        try:
            if drawn == self.tokenizer.eos_id:
                self.result.ended = "eos"
                return self._shown(self.decoder.finish())
            self.result.ids.append(drawn)
            text = self._shown(self.decoder.feed([drawn]))
        except EquinfoError:
            self.result.ended = "refused"
            return ""
        if self.drawn == max_ids:
            self.result.ended = "length"
        return text

    def _shown(self, text: str) -> str:
        """What of newly decoded text lies beyond the prompt."""
        kept = text[self.hidden :] if self.hidden > 0 else text
        self.hidden -= min(len(text), max(self.hidden, 0))
        self.result.text += kept
        return kept
