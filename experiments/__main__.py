"""`python -m experiments NAME... [--scale tiny]`, demo, paper, queue, status and report."""

import argparse
import os
import sys
import time
from pathlib import Path

from equinfo.errors import EquinfoError

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "demo": "the chain once, in minutes: M1 alone, M2s on four kinds of ids; a scale of its own",
    "paper": "everything: prints the plan and its hours first, then runs it and writes every"
    " table and figure",
    "queue": "the next runs of everything, or of the experiments named after it, as many as a"
    " budget of seconds holds; call it again for the next",
    "status": "the queue in a line: runs done, running, and hours to go; names as for queue",
    "report": "every table and figure of scale cpu anew, and the pages of results: docs/results",
}
BUDGET_SECONDS = 540.0
BOTH = ("paper", "queue")
SOME = ("queue", "status")  # of all experiments, or of those named after them
ONLY = {"plan": ("paper",), "jobs": BOTH, "shard": BOTH, "budget": ("queue",)}


def main(arguments: list[str] | None = None) -> int:
    begun = time.monotonic()
    from equinfo.streams import mend_streams

    mend_streams()
    parser = _parser()
    options = parser.parse_args(arguments)
    command = "NAME"
    if options.names[0] in COMMANDS:
        command, *options.names = options.names
    if options.names and command not in ("NAME", *SOME):
        parser.error(f"{command} takes no names after it: leave out {', '.join(options.names)}")
    for option, commands in ONLY.items():
        if getattr(options, option) is not None and command not in commands:
            parser.error(f"--{option} is for {' and '.join(commands)}")
    try:
        _choose_device(options.device, 1 if options.jobs is None else options.jobs)
        return _run(command, options, begun)
    except (EquinfoError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was under way goes on from its last checkpoint", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    # after the clock of a budget has begun: it takes seconds
    from experiments.catalogue import EXPERIMENTS

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
    scales = "how large everything is: tiny, cpu, small or paper (default: tiny)"
    add("--scale", default="tiny", help=scales)
    results = "rows, tables, figures (default: results; for demo, from nothing: runs/demo)"
    add("--results", type=Path, help=results)
    work = "models, streams, checkpoints (default: runs)"
    add("--work", type=Path, default=ROOT / "runs", help=work)
    again = "train on a corpus that is too small for the scale, again and again"
    add("--epochs-ok", action="store_true", help=again)
    add("--device", choices=("cpu", "cuda"), help="(default: cuda if there is one)")
    add("--plan", action="store_true", default=None, help="paper: print the plan and stop")
    shard = "paper, queue: the second of five parts, each for a machine; join rows by cat"
    add("--shard", metavar="2/5", help=shard)
    jobs = "paper, queue: N processes of one thread each (default: 1, all threads)"
    add("--jobs", type=int, metavar="N", help=jobs)
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
        from equinfo.engines import ONE_THREAD

        # bars would overwrite each other
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"), TQDM_DISABLE="1")
    if device == "cuda" and _device() != "cuda":
        raise EquinfoError("--device cuda: torch sees no CUDA device on this machine")


def _device() -> str:
    from equinfo.lm.train import best_device

    return best_device().type


def _run(command: str, options: argparse.Namespace, begun: float) -> int:
    from experiments import catalogue
    from experiments.scales import DEMO

    results = options.results or ROOT / "results"
    if command in (*BOTH, "status"):
        return _run_many(command, options, results, begun)
    if command == "report":
        return _report(results)
    if command == "demo":
        catalogue.demo(DEMO, options.results or options.work / "demo", options.work)
    else:
        catalogue.run(options.names, options.scale, results, options.work, options.epochs_ok)
    return 0


def _report(results: Path) -> int:
    """Tables, figures, pages from rows alone; pages of other results than ours lie beside those."""
    from experiments.analysis import report
    from experiments.catalogue import EXPERIMENTS

    ours = results.resolve() == ROOT / "results"
    pages = ROOT / "docs" / "results" if ours else results / "pages"
    readme = ROOT / "README.md" if ours else None
    made = report.write(list(EXPERIMENTS.values()), results, pages, readme=readme)
    print(f"{len(made)} pages: {made[-1]}")
    return 0


def _run_many(command: str, options: argparse.Namespace, results: Path, begun: float) -> int:
    """Exit status 1 where a run, a table or a figure failed."""
    from experiments import catalogue
    from experiments.plan import queue
    from experiments.plan.jobs import WHOLE, parse_shard

    scale = catalogue.find_scale(options.scale)
    names = options.names
    budget = queue.budgeted(begun, BUDGET_SECONDS if options.budget is None else options.budget)
    order = queue.Order(
        scale,
        catalogue.recipes_of(names, scale) if names else catalogue.everything(scale),
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
