"""Unigram[v]: a SentencePiece unigram model, set up to lose nothing."""

import io
import re
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import sentencepiece

from equinfo.compress.parallel import num_threads
from equinfo.errors import EquinfoError
from equinfo.tokenizers.sentencepieces import fields
from equinfo.tokenizers.subword import TRAINED, SubwordTokenizer, check_pretokens, parts_of
from equinfo.tokenizers.utf8 import utf8_texts

NUM_BYTES = 256
SPACE = "\u2581"  # how SentencePiece writes a space, so that a text's own ▁ would come back as one
SPACE_IDS = [byte + 1 for byte in SPACE.encode()]
RESERVED = re.compile("[\0\u2581\u2585]")  # what its trainer drops whole lines for
LONGEST_LINE = 1 << 30
ACROSS: dict[str, Any] = {"split_by_whitespace": False, "max_sentencepiece_length": 64}
CROSSING = {  # what the trainer is told; by default spaces cut, and 16 characters are the longest
    "words": {},
    "superwords": ACROSS,
    "free": ACROSS | {"split_by_unicode_script": False, "split_by_number": False},
}
# Of sentencepiece.proto, (what a field must be, what it is where it is not given), by number.
SPECS: dict[int, dict[int, tuple[int | bytes, int | bytes]]] = {
    2: {3: (1, 1), 24: (0, 0), 35: (1, 0)},  # trainer: unigram, spaces begin pieces, all bytes
    3: {2: (b"", b""), 3: (0, 1), 4: (0, 1), 5: (1, 1)},  # normalizer: no rules, spaces as many
}


class UnigramTokenizer(SubwordTokenizer):
    """SentencePiece unigram; takes any valid UTF-8, by falling back to bytes.

    Its id 0 is the unknown piece, which byte fallback never lets out; ids 1 to 256 are the bytes,
    the learnt pieces follow; there are no other special pieces. So code = id - 1, and codes 0 ..
    255 are the bytes.

    A ▁ in the text is written as its three bytes: SentencePiece's own ▁ always is a space.
    """

    kind = "unigram"
    label = "unigram"
    file = "sentencepiece.model"

    def _open(self) -> list[bytes]:
        self._library = library = sentencepiece.SentencePieceProcessor()
        library.LoadFromSerializedProto(self.model)
        ids = range(library.GetPieceSize())
        special = [i for i in ids if library.IsUnknown(i) or library.IsControl(i)]
        pieces = list(map(library.IdToPiece, ids))
        in_order = pieces[1 : NUM_BYTES + 1] == [f"<0x{byte:02X}>" for byte in range(NUM_BYTES)]
        byte_ids = [i for i in ids if library.IsByte(i)]
        if special != [0] or byte_ids != list(range(1, NUM_BYTES + 1)) or not in_order:
            raise ValueError("its pieces are not one unknown, 256 bytes, and text")
        _check_settings(self.model)
        learnt = [piece.replace(SPACE, " ").encode() for piece in pieces[NUM_BYTES + 1 :]]
        return [bytes([byte]) for byte in range(NUM_BYTES)] + learnt

    @classmethod
    def train(cls, documents: list[bytes], vocab_size: int, pretokens: str = "words") -> Self:
        """Learn `vocab_size` codes (256 bytes and the pieces) from documents of UTF-8.

        pretokens: what pieces may cross. "words": nothing. "superwords": spaces. "free": also from
        letters to digits and signs. No piece holds a line feed but at its start.

        Fewer where the text is too small: `code_size` says. One thread, so that sums of floats, and
        with them the pieces, are the same each time. Raises EquinfoError for a vocab_size that does
        not hold the bytes and the text's letters, no text, and documents not in UTF-8.
        """
        texts = utf8_texts(documents)
        if not any(texts):
            raise EquinfoError("no text to train a unigram model on: the corpus is empty")
        if vocab_size <= NUM_BYTES:
            raise EquinfoError(
                f"a unigram vocabulary of {vocab_size}: the bytes alone are {NUM_BYTES}"
            )
        written = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.Train(
                sentence_iterator=_lines(texts),
                model_writer=written,
                model_type="unigram",
                vocab_size=vocab_size + 1,
                hard_vocab_limit=False,
                byte_fallback=True,
                normalization_rule_name="identity",
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1,
                max_sentence_length=LONGEST_LINE,
                num_threads=1,
                minloglevel=2,
                **CROSSING[check_pretokens(pretokens)],
            )  # fmt: skip
        except RuntimeError as error:
            raise EquinfoError(
                f"no unigram model of {vocab_size} ids for this text: {error}"
            ) from error
        return cls(written.getvalue(), pretokens)

    def encode_texts(self, texts: list[str]) -> list[np.ndarray]:
        parts = [text.split(SPACE) for text in texts]
        flat = [part for split in parts for part in split]
        encoded = iter(self._library.EncodeAsIds(flat, num_threads=num_threads()))
        codes = []
        for split in parts:
            ids = next(encoded)
            for _ in split[1:]:
                ids += [*SPACE_IDS, *next(encoded)]
            codes.append(np.array(ids, dtype=self.dtype) - 1)
        return codes


def _check_settings(model: bytes) -> None:
    """Raises ValueError unless a model is a unigram that leaves text as it is and knows all bytes.

    Messages that come in several parts are one: their fields side by side, the last of each.
    """
    parts = list(fields(model))
    for spec, wanted in SPECS.items():
        found = dict(fields(b"".join(value for number, value in parts if number == spec)))
        for number, (value, default) in wanted.items():
            if found.get(number, default) != value:
                raise ValueError("it does more to a text than a unigram model of bytes does")


def _lines(texts: list[str]) -> Iterator[str]:
    """What the trainer sees: lines, each after its line end (it strips those at the end)."""
    for text in texts:
        for line in re.split(r"(?=\r\n)|(?<!\r)(?=\n)", text):
            for text in filter(None, RESERVED.split(line)):
                yield from parts_of(text, TRAINED)
