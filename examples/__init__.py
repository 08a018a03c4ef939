"""Small complete programs that the documentation shows and the tests run."""
