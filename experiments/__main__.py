"""`python -m experiments NAME... [--scale tiny]`, and demo, paper, queue and report; `--help` lists
all names.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from equinfo.errors import EquinfoError

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "demo": "the main result and its tables, from nothing",
    "paper": "everything: prints the plan and its hours first, then runs it and writes every"
    " table and figure",
    "queue": "the next runs of everything, as many as a budget of seconds holds; call it again"
    " for the next",
    "status": "the queue in a line: runs done, running, and hours to go",
    "report": "every table and figure of scale cpu anew, and the pages of results: docs/results",
}
BUDGET_SECONDS = 540.0
ONLY = {
    "plan": ("paper",),
    "jobs": ("paper", "queue"),
    "shard": ("paper", "queue"),
    "budget": ("queue",),
}


def main(arguments: list[str] | None = None) -> int:
    begun = time.monotonic()
    parser = _parser()
    options = parser.parse_args(arguments)
    command = (
        options.names[0] if len(options.names) == 1 and options.names[0] in COMMANDS else "NAME"
    )
    for option, commands in ONLY.items():
        if getattr(options, option) is not None and command not in commands:
            parser.error(f"--{option} is for {' and '.join(commands)}")
    try:
        _choose_device(options.device, 1 if options.jobs is None else options.jobs)
        return _run(command, options, begun)
    except EquinfoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was under way goes on from its last checkpoint", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    from experiments.catalogue import (
        EXPERIMENTS,  # after the clock of a budget has begun: it takes seconds
    )

    listing = [f"  {e.name:<11} {e.paper}: {e.summary}" for e in EXPERIMENTS.values()]
    listing += ["or one of:", *(f"  {name:<11} {summary}" for name, summary in COMMANDS.items())]
    parser = argparse.ArgumentParser(
        prog="python -m experiments",
        description="Run experiments and write their tables and figures. Runs that have a row are"
        " not repeated.",
        epilog="\n".join(["NAME is any of:", *listing]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="+", metavar="NAME")
    add(
        "--scale",
        default="tiny",
        help="how large everything is: tiny, cpu, small or paper (default: tiny)",
    )
    add(
        "--results",
        type=Path,
        help="rows, tables, figures (default: results; for demo, from nothing: runs/demo)",
    )
    add(
        "--work",
        type=Path,
        default=ROOT / "runs",
        help="models, streams, checkpoints (default: runs)",
    )
    add(
        "--epochs-ok",
        action="store_true",
        help="train on a corpus that is too small for the scale, again and again",
    )
    add("--device", choices=("cpu", "cuda"), help="(default: cuda if there is one)")
    add("--plan", action="store_true", default=None, help="paper: print the plan and stop")
    add(
        "--shard",
        metavar="2/5",
        help="paper, queue: the second of five parts, each for a machine; join rows by cat",
    )
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="paper, queue: N processes of one thread each (default: 1, all threads)",
    )
    budget = (
        f"queue: be over within S seconds (default: {BUDGET_SECONDS:g}); inf for as long as"
        " it takes"
    )
    add("--budget", type=float, metavar="S", help=budget)
    return parser


def _choose_device(device: str | None, jobs: int) -> None:
    """Before torch looks: hide CUDA, or demand it; one thread for each of several processes."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if jobs < 1:
        raise EquinfoError(f"--jobs {jobs}: it takes one process at least")
    if jobs > 1:
        from equinfo.sharding import ONE_THREAD

        os.environ.update(
            dict.fromkeys(ONE_THREAD, "1"), TQDM_DISABLE="1"
        )  # bars would overwrite each other
    if device == "cuda" and _device() != "cuda":
        raise EquinfoError("--device cuda: torch sees no CUDA device on this machine")


def _device() -> str:
    from equinfo.lm.train import best_device

    return best_device().type


def _run(command: str, options: argparse.Namespace, begun: float) -> int:
    from experiments import catalogue

    results = options.results or ROOT / "results"
    if command in ("paper", "queue", "status"):
        return _run_many(command, options, results, begun)
    if command == "report":
        return _report(results)
    if command == "demo":
        catalogue.demo(options.scale, options.results or options.work / "demo", options.work)
    else:
        catalogue.run(options.names, options.scale, results, options.work, options.epochs_ok)
    return 0


def _report(results: Path) -> int:
    """Tables, figures and pages from rows alone; pages of other results than ours lie beside
    those.
    """
    from experiments.analysis import report
    from experiments.analysis.findings import findings
    from experiments.catalogue import EXPERIMENTS, everything
    from experiments.runs.rows import Rows
    from experiments.scales import SCALES

    ours = results.resolve() == ROOT / "results"
    folder = ROOT / "docs" / "results" if ours else results / "pages"
    made = report.write(list(EXPERIMENTS.values()), results, folder)
    if ours:
        scale = SCALES[report.SHOWN]
        rows, wanted = Rows(results / scale.name / "rows.jsonl"), everything(scale)
        left = len(wanted) - len(rows.all_done(wanted))
        missing = f" Of {len(wanted)} runs {left} are still to be made." if left else ""
        report.quote(ROOT / "README.md", report.headline(findings(rows, scale), scale) + missing)
    print(f"{len(made)} pages: {made[-1]}")
    return 0


def _run_many(command: str, options: argparse.Namespace, results: Path, begun: float) -> int:
    """Exit status 1 where a run, a table or a figure failed."""
    from experiments import catalogue
    from experiments.plan import queue
    from experiments.plan.plan import WHOLE, parse_shard

    scale = catalogue.find_scale(options.scale)
    budget = queue.budgeted(begun, BUDGET_SECONDS if options.budget is None else options.budget)
    order = queue.Order(
        scale,
        catalogue.everything(scale),
        results / scale.name / "rows.jsonl",
        options.work,
        shard=parse_shard(options.shard) if options.shard is not None else WHOLE,
        epochs_ok=options.epochs_ok,
        processes=options.jobs or 1,
        **(budget if command == "queue" else {}),
    )
    if command == "status":
        print(queue.status(order))
        return 0
    outcome = queue.run_all(order, _device(), plan_only=bool(options.plan))
    failed = outcome is not None and bool(outcome.failed)
    if command == "paper" and outcome is not None:
        failed |= bool(queue.write_all(catalogue.EXPERIMENTS.values(), scale, results / scale.name))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
