"""Tokenizers by their name on the Hugging Face hub, for `equinfo.tokenizers.imported`."""

from typing import Any

from equinfo.errors import EquinfoError


def pretrained(name: str) -> Any:
    """The tokenizer of `name`, a folder or a name on the hub, as transformers loads it.

    Raises EquinfoError where transformers is not installed or finds none.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise EquinfoError(
            f"{name} is no tokenizer.json and no SentencePiece model; names on the Hugging Face"
            " hub need transformers: pip install 'equinfo[hf]'"
        ) from error
    from equinfo.hf.versions import check_transformers

    check_transformers()
    try:
        return AutoTokenizer.from_pretrained(name)
    except Exception as error:  # of many kinds, some of the network's
        reason = " ".join(str(error).split())[:200]
        raise EquinfoError(f"transformers finds no tokenizer {name!r}: {reason}") from error
