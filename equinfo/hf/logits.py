"""What `generate` may draw: ids that a tokenizer decodes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from equinfo.errors import EquinfoError
from equinfo.hf.config import AnyTokenizer, native
from equinfo.tokenizers.base import Tokenizer


class DecodableIds(LogitsProcessor):
    """Lets only ids through that still decode, as `equinfo.generate` does.

    No PAD or BOS is drawn, no subword that breaks a UTF-8 character, no window that no text has;
    and EOS only where a document may end. A document is what follows the last special id of a row.
    For tokenizers whose ids have no bytes of their own (AC, GZip) every id passes: only the whole
    of them decodes. tokenizer: ours, or what its `as_hf` made.

        model.generate(ids, logits_processor=[DecodableIds(equinfo.load("english-64k"))])
    """

    def __init__(self, tokenizer: AnyTokenizer) -> None:
        self.tokenizer = native(tokenizer)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """scores f32[rows, vocab_size] after input_ids, i64[rows, time]; -inf for what must not be.

        Raises EquinfoError where the model has another number of ids than the tokenizer.
        """
        tokenizer = self.tokenizer
        if scores.shape[1] != tokenizer.vocab_size:
            raise EquinfoError(
                f"the model scores {scores.shape[1]} ids and {tokenizer.name} has"
                f" {tokenizer.vocab_size}: name the tokenizer it was trained with"
            )
        documents = (_document(tokenizer, row) for row in input_ids.cpu().numpy())
        masks = np.stack([tokenizer.may_follow(document) for document in documents])
        return scores.masked_fill(~torch.from_numpy(masks).to(scores.device), float("-inf"))


def _document(tokenizer: Tokenizer, row: np.ndarray) -> np.ndarray:
    """The ids after the last special id of `row`."""
    special = np.flatnonzero(row >= tokenizer.code_size)
    return row[special[-1] + 1 :] if len(special) else row
