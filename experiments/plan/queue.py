"""Many runs at once: by priority, inside a budget of seconds, over processes and machines."""

import math
import multiprocessing
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from equinfo.engines import end_with_parent
from equinfo.errors import EquinfoError
from experiments.analysis.compare import Results
from experiments.analysis.experiment import Experiment
from experiments.plan.jobs import WHOLE, Plan, Shard, hours, survey
from experiments.plan.speed import Speeds
from experiments.runs.recipes import Recipe
from experiments.runs.rows import Rows
from experiments.runs.runner import OutOfTime, Runner, say
from experiments.runs.store import Store
from experiments.scales import Scale

# of a budget, for what a training has to write at its end
MARGIN_SECONDS = 10.0
MARGIN_SHARE = 0.03
# within the margin: what is not done by then is broken off, to go on from its last checkpoint
LAST_SECONDS = 3.0


@dataclass(frozen=True)
class Order:
    """What to carry out and how. rows: the file they are in. deadline: the time.monotonic() at
    which a run pauses; end: the one by which all must be over. processes: that share the runs.
    """

    scale: Scale
    recipes: Sequence[Recipe]
    rows: Path
    work: Path
    shard: Shard = WHOLE
    epochs_ok: bool = False
    processes: int = 1
    deadline: float = math.inf
    end: float = math.inf

    def store(self) -> Store:
        return Store(Rows(self.rows), self.work)

    def runner(self) -> Runner:
        return Runner(self.scale.name, Rows(self.rows), self.work, self.deadline, self.epochs_ok)

    def plan(self, store: Store, speeds: Speeds, device: str) -> Plan:
        """Where all stands, its hours by what the rows of `device` say now."""
        speeds.learn(self.recipes, store.rows, device)
        return survey(self.recipes, store, self.shard, speeds.estimate)


@dataclass
class Outcome:
    """failed: titles of runs that could not be done. paused: the budget ended. elsewhere: keys of
    runs that another process was at.
    """

    failed: list[str] = field(default_factory=list)
    paused: bool = False
    elsewhere: list[str] = field(default_factory=list)

    def told(self, left: Plan) -> str:
        """Why it ended and what is left, in a line or two."""
        done = "nothing more to do here" if left.to_do else "all is done"
        why = "the budget ended" if self.paused else done
        lines = [f"{why}: {left.summary()}" if left.to_do else f"{why}: {left.runs} runs"]
        elsewhere = [job.recipe.title for job in left.to_do if job.recipe.key in self.elsewhere]
        if elsewhere and not self.paused:
            lines.append(f"under way in another process: {', '.join(elsewhere)}")
        if self.failed:
            lines.append(f"failed: {', '.join(self.failed)}")
        return "\n".join(lines)


def budgeted(begun: float, budget: float) -> dict[str, float]:
    """Order's deadline and end for so many seconds from `begun`; EquinfoError for none."""
    if not budget > 0:
        raise EquinfoError(f"--budget {budget:g}: give it some seconds")
    if budget == math.inf:
        return {}
    margin = min(max(MARGIN_SECONDS, MARGIN_SHARE * budget), budget / 4)
    end = begun + budget
    return {"deadline": end - margin, "end": end - min(LAST_SECONDS, margin / 2)}


def prepare(order: Order, device: str) -> tuple[Plan, Speeds]:
    """The plan, and what its hours are estimated by; tries out what rows say nothing of."""
    runner = order.runner()
    speeds = Speeds()
    if runner.rows.foreign:
        say(f"ignored rows of another recipe version: {', '.join(runner.rows.foreign)}")
    unknown = order.plan(runner.store, speeds, runner.provenance["device"])
    speeds.try_out([job.recipe for job in unknown.jobs if job.left], device)
    return survey(order.recipes, runner.store, order.shard, speeds.estimate), speeds


def carry_out(order: Order, speeds: Speeds) -> Outcome:
    """Run, by priority, what has no row and no other process is at; one that fails stops none.

    What needs a stream or LM that another process is making comes after what does not.
    """
    runner = order.runner()
    outcome = Outcome()
    waiting = list(survey(order.recipes, runner.store, order.shard, speeds.estimate).to_do)
    try:
        while waiting:
            runner.check_time()
            with ExitStack() as held:
                free = (job for job in waiting if _claim(held, runner.store.making(job.recipe)))
                job = next(free, waiting[0])
                waiting.remove(job)
                if _claim(held, [runner.store.running(job.recipe)]):
                    _run(order, runner, speeds, job.recipe, outcome)
                else:
                    outcome.elsewhere.append(job.recipe.key)
    except OutOfTime:
        outcome.paused = True
    return outcome


def _claim(held: ExitStack, locks: Iterable[FileLock]) -> bool:
    """Hold all the locks until `held` ends, or none where another process holds one."""
    with ExitStack() as claimed:
        for lock in locks:
            try:
                claimed.enter_context(lock.acquire(blocking=False))
            except Timeout:
                return False
        held.push(claimed.pop_all())
    return True


def _run(order: Order, runner: Runner, speeds: Speeds, recipe: Recipe, outcome: Outcome) -> None:
    runner.rows.refresh()
    try:
        while (attempt := runner.rows.next_attempt(recipe)) is not None:
            plan = order.plan(runner.store, speeds, runner.provenance["device"])
            runner.run_one(attempt, plan.label(order.processes))
    except (EquinfoError, OSError) as error:
        outcome.failed.append(recipe.title)
        say(f"failed: {recipe.title}: {error}")


# -- processes -------------------------------------------------------------------------------------


def in_processes(order: Order, speeds: Speeds) -> Outcome:
    """`carry_out` in processes, in this one where it is one that need not be over in time."""
    if order.processes == 1 and order.end == math.inf:
        return carry_out(order, speeds)
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe(duplex=False) for _ in range(order.processes)]
    workers = [context.Process(target=_work, args=(order, speeds, end)) for _, end in ends]
    total = Outcome()
    try:
        for worker, (_, end) in zip(workers, ends, strict=True):
            worker.start()
            end.close()  # so that its own end tells that it has gone
        for worker, (end, _) in zip(workers, ends, strict=True):
            _take(total, worker, end, order.end)
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.kill()
                worker.join()
    return total


def _work(order: Order, speeds: Speeds, end: Any) -> None:
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        end.send(carry_out(order, speeds))
    except KeyboardInterrupt:
        sys.exit(130)


def _take(total: Outcome, worker: Any, end: Any, until: float) -> None:
    """Add a worker's outcome, as soon as it has one."""
    try:
        if not end.poll(None if until == math.inf else max(until - time.monotonic(), 0)):
            total.paused = True
            say(
                "the budget ended in the middle of something that does not pause: it goes on from"
                " what it had kept"
            )
            return
        outcome = end.recv()
    except EOFError:
        worker.join()
        total.failed.append(f"a process ended with status {worker.exitcode}")
        return
    worker.join(None if until == math.inf else max(until - time.monotonic(), 0))
    total.failed += outcome.failed
    total.elsewhere += outcome.elsewhere
    total.paused |= outcome.paused


# -- commands --------------------------------------------------------------------------------------


def run_all(order: Order, device: str, plan_only: bool = False) -> Outcome | None:
    """Print the plan, then carry it out; None where only the plan was asked for."""
    plan, speeds = prepare(order, device)
    part = "" if order.shard == WHOLE else f", shard {order.shard[0]} of {order.shard[1]}"
    print(plan.table(f"scale {order.scale.name}{part}").text())
    print(plan.summary(), flush=True)
    if plan_only:
        return None
    part = f"{order.shard[0]}-of-{order.shard[1]}"
    try:
        with order.store().lock(f"queue-{order.scale.name}-{part}").acquire(blocking=False):
            outcome = in_processes(order, speeds) if plan.to_do else Outcome()
    except Timeout:
        raise EquinfoError(
            f"another process is at the {order.scale.name} runs in {order.work}: `python -m"
            " experiments status` says how far it is, --jobs N gives one queue more processes"
        ) from None
    left = order.runner()
    print(outcome.told(order.plan(left.store, speeds, left.provenance["device"])), flush=True)
    return outcome


def status(order: Order) -> str:
    """Runs done, running and to do, and hours to go by the newest row's device, in a line."""
    store = order.store()
    newest = list(store.rows.by_key.values())[-1:]
    plan = order.plan(store, Speeds(), newest[0].device if newest else "")
    running = [
        f"{job.recipe.title} ({1 - job.left:.0%})"
        for job in plan.to_do
        if _is_held(store.running(job.recipe))
    ]
    jobs = max(len(running), 1)
    more = f" and {plan.untimed} that nothing has timed yet" if plan.untimed else ""
    return (
        f"{order.scale.name}: {len(plan.done)} of {plan.runs} runs done, running:"
        f" {', '.join(running) or 'none'},"
        f" {hours(plan.seconds / jobs)} hours to go with {jobs} job{'s' * (jobs > 1)}{more}"
    )


def _is_held(lock: FileLock) -> bool:
    try:
        with lock.acquire(blocking=False):
            return False
    except Timeout:
        return True


def write_all(experiments: Iterable[Experiment], scale: Scale, folder: Path) -> list[str]:
    """Every table and figure, from the rows in `folder`; names of those that failed."""
    results = Results(Rows(folder / "rows.jsonl"), scale)
    failed = []
    for experiment in experiments:
        try:
            _, made = experiment.output(results, folder)
            say(f"wrote {', '.join(str(path) for path in made)}")
        except EquinfoError as error:
            failed.append(experiment.name)
            say(f"failed: {experiment.name}: {error}")
    return failed
