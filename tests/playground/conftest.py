"""The tokenizers of every kind are those of tests/tokenizers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tokenizers"))
