"""`python -m experiments NAME... [--scale tiny]`, and `python -m experiments demo`."""

import argparse
import sys
from pathlib import Path

from equinfo.errors import EquinfoError
from experiments import catalogue

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    listing = "\n".join(f"  {e.name:<9} {e.summary}" for e in catalogue.EXPERIMENTS.values())
    parser = argparse.ArgumentParser(
        prog="python -m experiments",
        description="Run experiments and write their tables and figures. Runs that have a row are not repeated.",
        epilog=f"experiments:\n{listing}\n  demo      all of them, from nothing",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--scale", default="tiny")
    parser.add_argument(
        "--results",
        type=Path,
        help="rows, tables, figures (default: results; for demo, which starts from nothing, runs/demo)",
    )
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="models, streams, checkpoints (default: runs)")
    options = parser.parse_args(arguments)
    try:
        if options.names == ["demo"]:
            catalogue.demo(options.scale, options.results or options.work / "demo", options.work)
        else:
            catalogue.run(options.names, options.scale, options.results or ROOT / "results", options.work)
    except EquinfoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
