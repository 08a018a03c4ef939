"""equinfo: compressed token streams for language models.

tokenizer = equinfo.load("gzip8")            # a name, or the folder of a trained tokenizer
ids = tokenizer.encode("text or bytes")      # NumPy array
assert tokenizer.decode(ids) == b"text or bytes"

The whole chain is train_m1, train_tokenizer, tokenize_corpus, train_lm, evaluate, generate:
docs/api.md has it on one screen. What each of them needs is imported when it is first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# Before torch is imported: OpenMP's threads spin while they wait, and on a machine that does
# anything else a training of two threads then takes many times as long. A thousand turns, some
# microseconds, bridge the gaps of a step.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="1000")

from equinfo.corpora import load_corpus
from equinfo.errors import EquinfoError
from equinfo.hf import register as _register  # noqa: F401  # Auto classes of transformers
from equinfo.tokenizers.registry import load

if TYPE_CHECKING:
    from equinfo.api import evaluate, train_lm, train_m1, train_tokenizer
    from equinfo.formats import export
    from equinfo.generation import generate
    from equinfo.sharding import tokenize_corpus
    from equinfo.shards import Shards
    from equinfo.tokenizers.imported import from_pretrained

__version__ = "0.1.0"
__all__ = [
    "EquinfoError",
    "Shards",
    "evaluate",
    "export",
    "from_pretrained",
    "generate",
    "load",
    "load_corpus",
    "tokenize_corpus",
    "train_lm",
    "train_m1",
    "train_tokenizer",
]

_LAZY = {
    **dict.fromkeys(("evaluate", "train_lm", "train_m1", "train_tokenizer"), "equinfo.api"),
    "Shards": "equinfo.shards",
    "export": "equinfo.formats",
    "from_pretrained": "equinfo.tokenizers.imported",
    "generate": "equinfo.generation",
    "tokenize_corpus": "equinfo.sharding",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'equinfo' has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
