"""The local language model that continues texts."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from equinfo.errors import EquinfoError
from equinfo.generation import pair, stream
from equinfo.playground import markup
from equinfo.playground.readings import clean, read
from equinfo.playground.views import written_view
from equinfo.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from equinfo.lm.decoder import Decoder

MOST_IDS = 256
LONGEST_PROMPT = 500


@dataclass(frozen=True)
class Continuer:
    """An LM, the ids a sequence it was trained on, and its tokenizer."""

    label: str
    model: "Decoder"
    context: int
    tokenizer: Tokenizer

    @classmethod
    def load(cls, lm: Path | str, tokenizer: Tokenizer | Path | str | None) -> "Continuer":
        """From a folder of train-lm. Raises EquinfoError for none, or for another tokenizer."""
        found = pair(lm, tokenizer)
        return cls(Path(lm).resolve().name, found.model, found.context, found.tokenizer)

    def views(
        self, raw: str | None, max_ids: float, temperature: float, seed: float
    ) -> Iterator[str]:
        """The continuation as it grows; the last view has its numbers and pieces."""
        prompt = clean(raw)[-LONGEST_PROMPT:]
        text = ""
        seconds = 0.0
        options = {
            "context": self.context,
            "max_ids": min(max(int(max_ids), 1), MOST_IDS),
            "temperature": min(max(float(temperature), 0.0), 2.0),
            "seed": max(int(seed or 0), 0),
        }
        yield written_view(prompt, text, None, seconds)
        try:
            for piece, took in _timed(stream(self.model, self.tokenizer, prompt, **options)):
                text += piece
                seconds += took
                yield written_view(prompt, text, None, seconds)
        except EquinfoError as error:
            yield markup.error(str(error))
            return
        yield written_view(prompt, text, read(self.label, self.tokenizer, text), seconds)


def _timed(pieces: Iterator[str]) -> Iterator[tuple[str, float]]:
    """Each piece and the seconds it took to make, without those in which the asker was busy."""
    begun = time.perf_counter()
    for piece in pieces:
        yield piece, time.perf_counter() - begun
        begun = time.perf_counter()
