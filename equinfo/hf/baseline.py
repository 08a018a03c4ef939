"""Tokenizers by their name on the Hugging Face hub, for `equinfo.tokenizers.imported`."""

from typing import Any

from equinfo.errors import EquinfoError, needing


def pretrained(name: str) -> Any:
    """The tokenizer of `name`, a folder or a name on the hub, as transformers loads it.

    Raises EquinfoError where transformers is not installed or finds none.
    """
    what = f"{name} is no tokenizer.json and no SentencePiece model; a name on the hub"
    with needing("hf", what):
        from transformers import AutoTokenizer

        from equinfo.hf.versions import check_transformers
    check_transformers()
    try:
        return AutoTokenizer.from_pretrained(name)
    except Exception as error:  # of many kinds, some of the network's
        reason = " ".join(str(error).split())[:200]
        raise EquinfoError(f"transformers finds no tokenizer {name!r}: {reason}") from error
