"""Any tokenizer of Hugging Face's `tokenizers`, by its `tokenizer.json`."""

import json
from itertools import accumulate
from typing import Any, Self

import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from equinfo.errors import EquinfoError, foreign
from equinfo.tokenizers.bpe import byte_of_letter
from equinfo.tokenizers.imported_base import ImportedTokenizer
from equinfo.tokenizers.subword import PiecesTokenizer

MOST_IDS = 1 << 21
CUTS = ("Split", "Digits", "Punctuation")  # but for a behaviour of "Removed"


class HFTokenizer(ImportedTokenizer):
    """Ids as `encode(text, add_special_tokens=False)` gives them, neither cut nor padded.

    Bytes are the library's decoded text. With GPT-2's alphabet it is a ByteLevelTokenizer.
    """

    kind = "hf"

    @classmethod
    def of(cls, model: bytes, name: str, lossless: bool | None = None) -> "HFTokenizer":
        """The tokenizer of a `tokenizer.json`, of the class that decodes it best."""
        with foreign(f"{name} is no tokenizer.json that `tokenizers` reads"):
            decoder = tokenizers.Tokenizer.from_buffer(model).decoder
        by_bytes = isinstance(decoder, decoders.ByteLevel)
        return (ByteLevelTokenizer if by_bytes else HFTokenizer)(model, name, lossless)

    def _open(self) -> np.ndarray:
        self._library = tokenizers.Tokenizer.from_buffer(self.model)
        if getattr(self._library.model, "dropout", None):
            raise EquinfoError(
                f"{self.name} draws its ids at random (BPE dropout): save it with a dropout of None"
            )
        pieces = self._library.get_vocab(with_added_tokens=False)
        if len(set(pieces.values())) < len(pieces):
            raise EquinfoError(
                f"two pieces of {self.name} share an id: which one it decodes to would be chance"
            )
        self._library.no_truncation()
        self._library.no_padding()
        self._library.encode_special_tokens = True  # as text
        # It adds special tokens, and takes spaces out of offsets.
        self._library.post_processor = None
        ids = np.fromiter(self._library.get_vocab(with_added_tokens=True).values(), dtype=np.int64)
        if ids.max() >= MOST_IDS:
            raise EquinfoError(f"{self.name} has an id {ids.max()}: at most {MOST_IDS} are read")
        known = np.zeros(int(ids.max()) + 1, dtype=np.bool_)
        known[ids] = True
        return known

    def encode_texts(self, texts: list[str]) -> list[list[int]]:
        encodings = self._library.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def _probes(self) -> list[str]:
        """Also tokens that were added by hand, as these may take the spaces beside them."""
        added = self._library.get_added_tokens_decoder().values()
        return [*super()._probes(), *(f"a  {token.content}  b" for token in added)]

    def _cuts(self, text: str) -> tuple[list[int], list[int]]:
        found = self._library.encode(text, add_special_tokens=False)
        sizes = [len(character.encode()) for character in text]
        before = [0, *accumulate(sizes)]  # bytes before each character
        return found.ids, [before[end] for _, end in found.offsets]

    def _decode_batch(self, streams: list[np.ndarray]) -> list[bytes]:
        codes = [ids.tolist() for ids in streams]
        with foreign(f"{self.name} cannot decode these ids"):
            texts = self._library.decode_batch(codes, skip_special_tokens=False)
        return [text.encode() for text in texts]

    @classmethod
    def _from_parts(cls, config: dict[str, Any], tensors: dict[str, np.ndarray]) -> Self:
        model = tensors["model"].tobytes()
        return cls.of(model, config["name"], config["lossless"])  # type: ignore[return-value]


class ByteLevelTokenizer(PiecesTokenizer, HFTokenizer):
    """One with GPT-2's alphabet (GPT, Llama 3, Qwen, ...): a code's bytes are known.

    Ids whose bytes are no UTF-8 are refused, where the library would write U+FFFD.
    """

    def _open(self) -> np.ndarray:
        known = super()._open()
        letters = byte_of_letter()
        self.pieces = [b""] * len(known)
        for piece, code in self._library.get_vocab(with_added_tokens=False).items():
            spelled = letters.keys() >= set(piece)
            self.pieces[code] = bytes(letters[one] for one in piece) if spelled else piece.encode()
        for code, token in self._library.get_added_tokens_decoder().items():
            self.pieces[code] = token.content.encode()
        return known

    def _is_proven(self) -> bool:
        """BPE of all bytes' letters, from text that is cut and nothing else.

        Merges join letters whatever they are; tokens that were added are what they spell.
        """
        library = self._library
        model = library.model
        letters = byte_of_letter()
        codes = library.get_vocab(with_added_tokens=True)
        joins = (
            isinstance(model, models.BPE)
            and not model.continuing_subword_prefix
            and not model.end_of_word_suffix
            and all(model.token_to_id(letter) is not None for letter in letters)
            and len(set(codes.values())) == len(codes)
        )
        added = all(
            not token.lstrip
            and not token.rstrip
            and (token.content.isascii() or not letters.keys() >= set(token.content))
            for token in library.get_added_tokens_decoder().values()
        )
        return joins and added and library.normalizer is None and _cuts_only(library.pre_tokenizer)

    def allowed(self, ids: np.ndarray) -> np.ndarray | None:
        """Of the ids that exist, those that go on where the last character stands."""
        fitting = super().allowed(ids)
        return self.known if fitting is None else fitting & self.known


def _cuts_only(pre_tokenizer: pre_tokenizers.PreTokenizer | None) -> bool:
    """Whether a text is cut without loss and written in GPT-2's letters, once."""
    steps = [] if pre_tokenizer is None else [json.loads(pre_tokenizer.__getstate__())]
    letters = 0
    while steps:
        step = steps.pop()
        kind = step["type"]
        if kind == "Sequence":
            steps += step["pretokenizers"]
        elif kind == "ByteLevel" and not step["add_prefix_space"]:
            letters += 1
        elif kind not in CUTS or step.get("behavior") == "Removed":
            return False
    return letters == 1
