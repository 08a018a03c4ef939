"""Hugging Face transformers: the only room where it is imported."""
