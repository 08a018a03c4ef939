"""equinfo: compressed token streams for language models.

tokenizer = equinfo.load("gzip8")            # a name, or the folder of a trained tokenizer
ids = tokenizer.encode("text or bytes")      # NumPy array
assert tokenizer.decode(ids) == b"text or bytes"
"""

from equinfo.corpora import load_corpus
from equinfo.errors import EquinfoError
from equinfo.tokenizers.registry import load

__version__ = "0.1.0"
__all__ = ["EquinfoError", "load", "load_corpus"]
