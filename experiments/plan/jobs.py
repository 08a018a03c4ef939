"""What there is to do: every run of some experiments once, after what it needs, and its work."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from equinfo.engines import share_of
from experiments.analysis.tables import Cell, Table
from experiments.plan.cost import cost
from experiments.runs.recipes import Recipe
from experiments.runs.store import Store

Shard = tuple[int, int]
WHOLE: Shard = (1, 1)
Estimate = Callable[[Recipe], tuple[float | None, str]]  # a run's seconds, and what says so


def parse_shard(text: str) -> Shard:
    return share_of(text, "--shard")


def in_shard(recipe: Recipe, shard: Shard) -> bool:
    """Whether a run belongs to a shard: by its key, so that each belongs to exactly one."""
    number, count = shard
    return int(recipe.key, 16) % count == number - 1


# -- which runs ------------------------------------------------------------------------------------


def closure(recipes: Iterable[Recipe]) -> list[Recipe]:
    """All runs, each once, in the order of `recipes`, what a run needs just before it; timings and
    questions after all trainings, and what needs an M1 of its own last.
    """
    found: dict[str, Recipe] = {}
    for recipe in recipes:
        for one in [*recipe.needs(), recipe]:
            found.setdefault(one.key, one)
    main = next((m1 for recipe in found.values() for m1 in recipe.m1s()), None)

    def late(recipe: Recipe) -> tuple[bool, bool]:
        other = any(main is None or m1.training != main.training for m1 in recipe.m1s())
        return other, recipe.run_last

    return sorted(found.values(), key=late)


# -- the plan --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A run, and where it stands. state: "to do"; "done": it has its row; or "part": a run to do
    needs it, and another shard writes its row. left: the share of its work still to do here: also
    of what is done or a part, where a run to do needs its files and they are not here. seconds: of
    all its work, None where nothing says how long; source: what says it.
    """

    recipe: Recipe
    state: str
    left: float
    seconds: float | None
    source: str

    @property
    def remaining(self) -> float:
        """Seconds of what is left, as far as is known."""
        return self.left * (self.seconds or 0.0)


@dataclass(frozen=True)
class Plan:
    """jobs: by priority."""

    jobs: Sequence[Job]

    @cached_property
    def to_do(self) -> list[Job]:
        return [job for job in self.jobs if job.state == "to do"]

    @cached_property
    def done(self) -> list[Job]:
        return [job for job in self.jobs if job.state == "done"]

    @property
    def runs(self) -> int:
        """Rows that there will be."""
        return len(self.to_do) + len(self.done)

    @property
    def seconds(self) -> float:
        """Estimated, of all that is left."""
        return sum(job.remaining for job in self.jobs)

    @property
    def tokens(self) -> float:
        """To train on."""
        return sum(job.left * cost(job.recipe).tokens for job in self.jobs)

    @property
    def flops(self) -> float:
        """Of training."""
        return sum(job.left * cost(job.recipe).flops for job in self.jobs)

    @property
    def untimed(self) -> int:
        return sum(job.seconds is None for job in self.to_do)

    def label(self, processes: int = 1) -> str:
        """Where all stands as the next run begins: "[37/112, 41 % of the work, 0:52 left]"."""
        total = sum(job.seconds or 0.0 for job in self.jobs)
        share = 1 - self.seconds / total if total else 0.0
        left = clock(self.seconds / processes)
        return f"[{len(self.done) + 1}/{self.runs}, {100 * share:.0f} % of the work, {left} left]"

    def table(self, heading: str) -> Table:
        """A line for each type and size, and their sum."""
        groups: dict[tuple[str, str], list[Job]] = {}
        for job in self.jobs:
            names = type(job.recipe).__name__, job.recipe.model_size
            groups.setdefault(names, []).append(job)
        body = [_line(*names, Plan(jobs)) for names, jobs in groups.items()]
        columns = ["runs", "size", "done", "to do", "again", "tokens", "PFLOPs", "hours"]
        return Table(
            heading, [*columns, "hours are"], [*body, [*_line("total", "", self)[:-1], ""]]
        )

    def summary(self) -> str:
        """What is left, in a line."""
        more = f", and {self.untimed} that nothing has timed yet" if self.untimed else ""
        return (
            f"{len(self.to_do)} of {self.runs} runs to do: {amount(self.tokens)} tokens to train"
            f" on, {self.flops:.2g} FLOPs of training, about {hours(self.seconds)} hours on this"
            f" device{more}"
        )


def survey(recipes: Iterable[Recipe], store: Store, shard: Shard, estimate: Estimate) -> Plan:
    """Where all runs of a shard stand, and what they need of others; reads rows and names only."""
    everything = closure(recipes)
    mine = {recipe.key for recipe in everything if in_shard(recipe, shard)}
    to_do = {r.key for r in everything if r.key in mine and store.rows.next_attempt(r) is not None}
    needed = {part.key for recipe in everything if recipe.key in to_do for part in recipe.needs()}
    jobs = []
    for recipe in everything:
        key = recipe.key
        left = 1 - store.share(recipe)
        if key in to_do:
            jobs.append(Job(recipe, "to do", left, *estimate(recipe)))
        elif key in mine or key in needed:
            state = "done" if key in mine else "part"
            jobs.append(Job(recipe, state, left if key in needed else 0.0, *estimate(recipe)))
    return Plan(jobs)


def _line(name: str, size: str, part: Plan) -> list[Cell]:
    again = sum(job.left > 0 for job in part.jobs if job.state != "to do")
    sources = dict.fromkeys(job.source for job in part.jobs if job.left and job.source)
    return [
        name, size, len(part.done), len(part.to_do), again, amount(part.tokens),
        f"{part.flops / 1e15:.3g}",
        hours(part.seconds), "; ".join(sources),
    ]  # fmt: skip


def amount(number: float) -> str:
    """Three digits and a prefix: 1234567 -> "1.23 M"."""
    for power, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{number / 10**power:.3g} {prefix}"
    return f"{number:.0f}"


def hours(seconds: float) -> str:
    value = seconds / 3600
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def clock(seconds: float) -> str:
    """Hours and minutes, rounded up: 3,100 s -> "0:52"."""
    minutes = math.ceil(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02}"
