"""equinfo: compressed token streams for language models."""

__version__ = "0.1.0"
