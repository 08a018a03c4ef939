"""The paper's tables and figures, as recipes, runs, rows and drawings."""
