"""BPE[v]: byte-level byte pair encoding, run (and trained on words) by Hugging Face's library."""

import json
from typing import Any, Self

import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from equinfo.compress.merges import learn
from equinfo.errors import EquinfoError
from equinfo.tokenizers import pairs
from equinfo.tokenizers.subword import TRAINED, SubwordTokenizer, check_pretokens, parts_of
from equinfo.tokenizers.utf8 import utf8_texts

NUM_BYTES = 256


def byte_of_letter() -> dict[str, int]:
    """GPT-2's alphabet, by letters: printable Latin-1 is itself, U+0100 on the others, in order."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(NUM_BYTES) if byte not in own]
    moved = {chr(0x100 + n): byte for n, byte in enumerate(others)}
    return {chr(byte): byte for byte in own} | moved


class BPETokenizer(SubwordTokenizer):
    """Byte-level BPE, by default with GPT-2's pretokenisation; takes any valid UTF-8.

    model: a `tokenizer.json`. The codes are the library's ids.
    """

    kind = "bpe"
    label = "BPE"
    file = "tokenizer.json"

    def _open(self) -> list[bytes]:
        self._library = tokenizers.Tokenizer.from_buffer(self.model)
        if _settings(self._library) != _settings(_byte_level(self.pretokens)):
            raise ValueError("it does more to a text than byte-level BPE does")
        letters = byte_of_letter()
        codes = self._library.get_vocab()
        by_id = {code: piece for piece, code in codes.items()}
        if not letters.keys() <= codes.keys() or len(by_id) < len(codes):
            raise ValueError("a byte has no code, or two pieces share one")
        return [bytes(letters[letter] for letter in by_id[code]) for code in range(len(by_id))]

    @classmethod
    def train(
        cls,
        documents: list[bytes],
        vocab_size: int,
        pretokens: str = "words",
        transition: float = 0.9,
    ) -> Self:
        """Learn `vocab_size` codes (256 bytes and the merges) from documents of UTF-8.

        pretokens: where pairs are merged. "words": inside GPT-2's pretokens. "superwords": there
        until the share `transition` of the codes is learnt, then across them, by the limits of
        SuperBPE (compress/merges.py). "free": anywhere inside a document.

        A text too small to yield as many gives fewer, and `code_size` and `name` say how many; what
        crosses words must be there twice. Raises EquinfoError for vocab_size < 256, another share
        than 0 to 1, no text, and documents that are not UTF-8.
        """
        if vocab_size < NUM_BYTES:
            raise EquinfoError(f"a BPE vocabulary of {vocab_size}: the bytes alone are {NUM_BYTES}")
        if not 0 <= transition <= 1:
            raise EquinfoError(f"a transition at {transition} of the vocabulary: choose 0 to 1")
        texts = utf8_texts(documents)
        if not any(texts):
            raise EquinfoError("no text to train BPE on: the corpus is empty")
        within = {"words": vocab_size, "superwords": int(vocab_size * transition), "free": 0}
        size = max(within[check_pretokens(pretokens)], NUM_BYTES)
        library = _byte_level("words")
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=sorted(byte_of_letter()),
            special_tokens=[],
            show_progress=False,
        )
        seen = texts if size > NUM_BYTES else []
        parts = (part for text in seen for part in parts_of(text, TRAINED))
        library.train_from_iterator(parts, trainer)
        if pretokens == "words":
            return cls(library.to_str().encode())

        # what was learnt inside words, applied as encoding does: nowhere cut
        library.pre_tokenizer = _byte_level(pretokens).pre_tokenizer
        begun = cls(library.to_str().encode(), pretokens)
        runs = [ids for _, ids in begun.encoded_parts(documents)]
        whole = json.loads(begun.model)
        codes = whole["model"]["vocab"]
        names = sorted(codes, key=codes.get)
        for a, b in learn(runs, begun.pieces, vocab_size, pretokens == "superwords").tolist():
            whole["model"]["merges"].append([names[a], names[b]])
            codes[names[a] + names[b]] = len(names)
            names.append(names[a] + names[b])
        return cls(json.dumps(whole).encode(), pretokens)

    def canonical_mask(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Of pairs that BPE never writes inside a pretoken, those with no cut between, either.

        None for more than pairs.MOST codes. A run of 2 * PART characters without white space is
        cut anywhere (subword.py), and may hold other pairs at its cuts.
        """
        if self.code_size > pairs.MOST:
            return None
        from equinfo.compress.dictionary.follow import runs

        model = json.loads(self.model)["model"]
        merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
        code = model["vocab"]
        found = {(code[x], code[y]): (rank, code[x + y]) for rank, (x, y) in enumerate(merges)}
        crossed, never = pairs.crossed(self.pieces, found)
        table = crossed & ~never[:, None] & ~never
        if self.pretokens == "words":  # else text is cut nowhere
            table &= pairs.uncut(self.pieces, self._kind_of)
        return self._over_vocabulary(runs(table), never)

    def _kind_of(self, character: str) -> int:
        """How GPT-2's regular expression takes it, asked of the library."""
        cut = self._library.pre_tokenizer.pre_tokenize_str
        joined = [kind for kind, one in enumerate("a1!") if len(cut(one + character)) == 1]
        return joined[0] if joined else pairs.SPACE if character == " " else pairs.WHITE

    def encode_texts(self, texts: list[str]) -> list[np.ndarray]:
        encodings = self._library.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=self.dtype) for encoding in encodings]


def _byte_level(pretokens: str) -> tokenizers.Tokenizer:
    """BPE by GPT-2's letters, with no piece yet. All bytes are letters, so that none is lost."""
    library = tokenizers.Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=pretokens == "words"
    )
    library.decoder = tokenizers.decoders.ByteLevel()
    return library


def _settings(library: tokenizers.Tokenizer) -> tuple[Any, ...]:
    """All that decides the ids of a text, but pieces and merges: these join letters in any case."""
    model = library.model
    names = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    cut = library.pre_tokenizer
    return (
        type(model),
        *(getattr(model, name) for name in (*names, "fuse_unk", "byte_fallback", "ignore_merges")),
        library.normalizer,
        cut and cut.__getstate__(),
        library.post_processor,
        library.truncation,
        library.padding,
        library.get_added_tokens_decoder(),
    )
