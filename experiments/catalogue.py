"""Every experiment by name, and what running one means."""

from pathlib import Path

from equinfo.errors import EquinfoError
from experiments import fig3, fig4, seeds, sweep, table1, table2, table3, table12
from experiments.experiment import Experiment
from experiments.recipes import Recipe
from experiments.rows import Rows
from experiments.runner import Runner, say
from experiments.scales import scale as find_scale

EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT for module in (table1, table2, table3, table12, fig3, fig4, sweep, seeds)
}


def experiment(name: str) -> Experiment:
    """The experiment called `name`; EquinfoError names those that exist."""
    if name not in EXPERIMENTS:
        raise EquinfoError(f"unknown experiment {name!r}; known: {', '.join(EXPERIMENTS)}, demo")
    return EXPERIMENTS[name]


def run(names: list[str], scale_name: str, results: Path, work: Path) -> None:
    """Run what the named experiments still lack, then write and print their tables and figures."""
    scale = find_scale(scale_name)
    chosen = [experiment(name) for name in names]
    rows = Rows(results / scale.name / "rows.jsonl")
    wanted: dict[str, Recipe] = {recipe.key: recipe for e in chosen for recipe in e.recipes(scale)}
    Runner(scale.name, rows, work).run(list(wanted.values()))
    for e in chosen:
        table, made = e.output(rows.all_done(e.recipes(scale)), scale, results / scale.name)
        print(f"\n{table.title}\n{table.text()}")
        say("wrote " + ", ".join(str(path) for path in made))


def demo(scale_name: str, results: Path, work: Path) -> None:
    """Everything, on the bundled corpus; ends with the main table and the path of its figure."""
    scale = find_scale(scale_name)
    rows = Rows(results / scale.name / "rows.jsonl")
    recipes: list[Recipe] = [scale.m1, *scale.measured_streams, *scale.lms]
    Runner(scale.name, rows, work).run(recipes)
    folder = results / scale.name
    for e in (e for e in EXPERIMENTS.values() if set(e.recipes(scale)) <= set(recipes)):
        e.output(rows.all_done(e.recipes(scale)), scale, folder)
    table = EXPERIMENTS["fig3"].reduce(rows.all_done(scale.lms), scale)
    print(f"\n{table.title}\n{table.text()}\n\n{table.note}")
    print(f"\nfigures: {folder / 'fig3.png'} (and .svg), {folder / 'fig4.png'}; tables beside them")
