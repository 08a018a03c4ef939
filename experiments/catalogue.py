"""Every experiment by name, and what running one means."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from equinfo.compress.jit import on_compiling
from equinfo.errors import EquinfoError
from experiments.analysis.compare import Results
from experiments.analysis.experiment import Experiment
from experiments.analysis.tables import Table
from experiments.exhibits import blocks, equal_bytes, sweep
from experiments.exhibits import demo as demonstration
from experiments.plan.jobs import closure
from experiments.runs.recipes import LM, Recipe, Training
from experiments.runs.rows import Rows
from experiments.runs.runner import Runner, say
from experiments.scales import Scale
from experiments.scales import scale as find_scale

# The main result first, then what it rests on, then the single questions: the order of pages and of
# the queue. Each is a file in exhibits/.
NAMES = (
    "fig3", "equal_bytes", "fig4", "overfit", "table1", "table2", "table3", "table4", "table12",
    "fig5", "fig6", "sec5_1", "table5", "table6", "table7", "fig2", "fig9", "fig8", "table8",
    "fig10", "fig11", "table9", "a1", "fig13", "table10", "fig14", "fig15", "table11", "d5",
    "context", "appendix_b", "place", "latency", "harness", "sweep", "blocks", "large",
    "cards", "beyond", "depths", "upcycled", "natural", "chinchilla",
)  # fmt: skip
EXPERIMENTS: dict[str, Experiment] = {
    name: import_module(f"experiments.exhibits.{name}").EXPERIMENT for name in NAMES
}
PAGE = Path("docs/results/index.md")
# The paper has some results twice, as a figure and as a table.
ALIASES = {
    "table13": "fig15", "table14": "table8", "table15": "fig3", "table16": "fig5",
    "table17": "fig14", "fig7": "table5",
    "fig12": "table9", "fig16": "fig11", "fig17": "fig11", "sec5.1": "sec5_1",
    "fig-beyond": "beyond",
}  # fmt: skip


def experiment(name: str) -> Experiment:
    """The experiment called `name`; EquinfoError names those that exist."""
    name = ALIASES.get(name, name)
    if name not in EXPERIMENTS:
        raise EquinfoError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}, demo")
    return EXPERIMENTS[name]


def recipes_of(names: Iterable[str], scale: Scale) -> list[Recipe]:
    """The recipes of the named experiments, each once."""
    recipes = [recipe for name in names for recipe in experiment(name).recipes(scale)]
    return list({recipe.key: recipe for recipe in recipes}.values())


def everything(scale: Scale) -> list[Recipe]:
    """All recipes by priority: what the main claim rests on, smallest first, then as listed."""
    smallest, *others, largest = scale.m2_trainings
    kinds = sweep.kinds(scale).values()
    by_priority: list[Recipe] = [lm for tokens in scale.claim for lm in sweep.trials(scale, tokens)]
    by_priority += seeded_claim(scale, smallest)
    by_priority += [lm for tokens in kinds for lm in sweep.trials(scale, tokens)]
    by_priority += equal_bytes.recipes(scale)
    by_priority += [lm for training in others for lm in seeded_claim(scale, training)]
    by_priority += sweep.recipes(scale)  # how the rate carries to the largest
    by_priority += [*seeded_claim(scale, largest), *blocks.recipes(scale)]
    listed = recipes_of(list(EXPERIMENTS), scale)
    wanted = {recipe.key for recipe in listed}
    by_key = {recipe.key: recipe for recipe in [*by_priority, *listed] if recipe.key in wanted}
    return list(by_key.values())


def seeded_claim(scale: Scale, training: Training) -> list[LM]:
    """The main claim's runs at one size: the two it is decided between first."""
    by_priority = dict.fromkeys([*scale.contest, *scale.claim])
    return scale.seeded(*(scale.lm(tokens, training) for tokens in by_priority))


def run(
    names: list[str], scale_name: str, results: Path, work: Path, epochs_ok: bool = False
) -> None:
    """Run what the named experiments still lack, then write and print their tables and figures."""
    for table, made in carried_out(names, scale_name, results, work, epochs_ok).values():
        print(f"\n{table.title}\n{table.text()}")
        say("wrote " + ", ".join(str(path) for path in made))


def demo(scale: Scale, results: Path, work: Path) -> None:
    """The chain once, on the bundled corpus: its table, what came out in words, where it lies."""
    on_compiling(_compiling)
    rows = Rows(results / "rows.jsonl")
    Runner(scale.name, rows, work).run(closure(demonstration.recipes(scale)))
    there = Results(rows, scale)
    table, made = demonstration.EXPERIMENT.output(there, results)
    print(f"\n{table.title}\n{table.text()}\n{table.note}\n")
    print("\n".join(demonstration.words(there)))
    print(f"Minutes of training: at length, beside the paper's, it is in {PAGE}.")
    print("table, figure: " + ", ".join(map(str, made)))


def _compiling() -> None:
    say("compiling kernels, once: 20 s")


def carried_out(
    names: Sequence[str], scale_name: str, results: Path, work: Path, epochs_ok: bool = False
) -> dict[str, tuple[Table, list[Path]]]:
    """(table, files) of each of the named experiments, once what they lack has been run."""
    scale = find_scale(scale_name)
    rows = Rows(results / scale.name / "rows.jsonl")
    recipes = closure(recipes_of(names, scale))
    Runner(scale.name, rows, work, epochs_ok=epochs_ok).run(recipes)
    there = Results(rows, scale)
    return {name: experiment(name).output(there, results / scale.name) for name in names}
