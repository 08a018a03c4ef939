"""Table 11 has the seeds."""

from experiments.table11 import EXPERIMENT, recipes, reduce

__all__ = ["EXPERIMENT", "recipes", "reduce"]
