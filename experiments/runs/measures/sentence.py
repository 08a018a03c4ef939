"""One sentence under a tokenizer: its pieces, its windows' codes, each character's bits."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from equinfo.compress.models.base import byte_bits
from equinfo.tokenizers.base import Tokenizer
from equinfo.tokenizers.equalinfo import EqualInfoTokenizer
from equinfo.tokenizers.modelled import ModelledTokenizer
from experiments.runs.measures import validation
from experiments.runs.measures.windows import coder_of, cut
from experiments.runs.recipes import Measure
from experiments.runs.runner import Runner

SENTENCE = (
    "The three currently living species are: African savanna elephants, African forest elephants,"
    " and the Asian elephants."
)
LONGEST = 2048
"""Bytes of a validation document that are looked at."""

Pieces = list[tuple[bytes, list[int]]]


def measure(runner: Runner, recipe: Measure, tokenizer: Tokenizer) -> dict[str, Any]:
    """Values of a Measure "sentence"; number: validation documents in which to count pieces.

    text; pieces: [text, ids] each, of windows also by rules that do not decode; inside: [how many
    pieces of each document begin inside a word, how many it has]; inside_words: their share; both
    None where ids have no bytes of their own; of windows codes: each one's bits; over an M1 bits:
    what each byte takes, M1 beginning anew where the tokenizer has it begin anew.
    """
    text = SENTENCE.encode()
    (found,) = pieces(tokenizer, [text])
    inside = inside_words(tokenizer, validation(runner, recipe))
    values: dict[str, Any] = {
        "text": SENTENCE,
        "pieces": [[piece.decode("utf-8", "backslashreplace"), ids] for piece, ids in found],
        "inside": inside,
        "inside_words": sum(inside[0]) / sum(inside[1]) if inside else None,
    }
    if isinstance(tokenizer, EqualInfoTokenizer):
        values["codes"] = ["".join(f"{i:0{tokenizer.width}b}" for i in ids) for _, ids in found]
    if isinstance(tokenizer, ModelledTokenizer):
        starts = begins(found) if isinstance(tokenizer, EqualInfoTokenizer) else [0]
        values["bits"] = [round(bits, 3) for bits in byte_bits(tokenizer.model, text, starts)]
    return values


def pieces(tokenizer: Tokenizer, texts: list[bytes]) -> list[Pieces]:
    """Of each text (bytes, ids) of the shortest runs of ids with bytes of their own, or of all."""
    if isinstance(tokenizer, EqualInfoTokenizer):
        found = cut(coder_of(tokenizer), texts)
        return [
            [(piece, tokenizer.to_ids(codes[n : n + 1]).tolist()) for n, piece in enumerate(cuts)]
            for codes, cuts in found
        ]
    spans = ((text, tokenizer.spans(text)) for text in texts)
    return [[(text[one.start : one.end], list(one.ids)) for one in found] for text, found in spans]


def begins(found: Pieces) -> list[int]:
    """Where each piece begins in the text, in bytes."""
    return np.cumsum([0, *(len(piece) for piece, _ in found[:-1])]).tolist()


def inside_words(
    tokenizer: Tokenizer, documents: Iterable[bytes]
) -> tuple[list[int], list[int]] | None:
    """Of each document: how many pieces, its first left out, begin between two letters or digits;
    and how many it has.

    None where there are none, or ids have no bytes of their own.
    """
    if tokenizer.unit is None:
        return None
    texts = [document[:LONGEST].decode("utf-8", "ignore").encode() for document in documents]
    starts = [begins(found)[1:] for found in pieces(tokenizer, texts)]
    inside = [
        sum(is_letter(text[at - 1]) and is_letter(text[at]) for at in found)
        for text, found in zip(texts, starts, strict=True)
    ]
    return (inside, [len(found) for found in starts]) if any(starts) else None


def is_letter(byte: int) -> bool:
    """Of a word: ASCII letters and digits, and every byte of other characters."""
    return byte >= 0x80 or chr(byte).isalnum()
