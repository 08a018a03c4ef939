"""equinfo: compressed token streams for language models.

tokenizer = equinfo.load("gzip8")            # a name, or the folder of a trained tokenizer
ids = tokenizer.encode("text or bytes")      # NumPy array
assert tokenizer.decode(ids) == b"text or bytes"

The whole chain is train_m1, train_tokenizer, tokenize_corpus, train_lm, evaluate, generate:
docs/api.md has it on one screen. What each of them needs is imported when it is first used.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

# Before torch is imported: OpenMP's threads spin while they wait, and on a machine that does
# anything else a training of two threads then takes many times as long. A thousand turns, some
# microseconds, bridge the gaps of a step.
if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
    os.environ.update(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="1000")

from equinfo.corpora import load_corpus
from equinfo.errors import EquinfoError
from equinfo.hf import register as _register  # noqa: F401  # Auto classes of transformers
from equinfo.tokenizers.registry import load, pretrained_tokenizers

if TYPE_CHECKING:
    from equinfo.api import evaluate, token_stream, train_lm, train_m1, train_tokenizer
    from equinfo.comparison import Comparison, Measurement, compare
    from equinfo.formats import export
    from equinfo.generation import Generation, generate, stream
    from equinfo.inspection import Info, info, verify
    from equinfo.loading import ShardDataset
    from equinfo.sharding import merge_shards, tokenize_corpus
    from equinfo.shards import Shards, TokenStream
    from equinfo.tokenizers.imported import from_pretrained
    from equinfo.upcycling import upcycle

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "EquinfoError",
    "Generation",
    "Info",
    "Measurement",
    "ShardDataset",
    "Shards",
    "TokenStream",
    "compare",
    "evaluate",
    "export",
    "from_pretrained",
    "generate",
    "info",
    "load",
    "load_corpus",
    "merge_shards",
    "pretrained_tokenizers",
    "stream",
    "token_stream",
    "tokenize_corpus",
    "train_lm",
    "train_m1",
    "train_tokenizer",
    "upcycle",
    "verify",
]

_LAZY = {
    "evaluate": "equinfo.api",
    "token_stream": "equinfo.api",
    "train_lm": "equinfo.api",
    "train_m1": "equinfo.api",
    "train_tokenizer": "equinfo.api",
    "Comparison": "equinfo.comparison",
    "Measurement": "equinfo.comparison",
    "compare": "equinfo.comparison",
    "Generation": "equinfo.generation",
    "generate": "equinfo.generation",
    "stream": "equinfo.generation",
    "Info": "equinfo.inspection",
    "info": "equinfo.inspection",
    "verify": "equinfo.inspection",
    "ShardDataset": "equinfo.loading",
    "Shards": "equinfo.shards",
    "TokenStream": "equinfo.shards",
    "export": "equinfo.formats",
    "from_pretrained": "equinfo.tokenizers.imported",
    "merge_shards": "equinfo.sharding",
    "tokenize_corpus": "equinfo.sharding",
    "upcycle": "equinfo.upcycling",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
    elif not name.startswith("_") and find_spec(f"equinfo.{name}"):
        value = import_module(f"equinfo.{name}")  # equinfo.api, equinfo.compress, ...
    else:
        raise AttributeError(f"module 'equinfo' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
