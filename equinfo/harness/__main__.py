"""lm_eval's command line with equinfo's model and tasks: `python -m equinfo.harness`."""

import sys

from lm_eval.__main__ import cli_evaluate

import equinfo.harness  # noqa: F401  # registers the model
from equinfo.errors import EquinfoError

DEFAULTS = {
    ("--model", "-M"): "equinfo",
    ("--tasks", "-t"): "equinfo",
    ("--batch_size", "-b"): "32",
}


def with_defaults(arguments: list[str]) -> list[str]:
    """The arguments, and of `run` what they lack of DEFAULTS."""
    named = arguments and not arguments[0].startswith("-")
    command, *rest = arguments if named else ["run", *arguments]
    if {"-h", "--help"} & set(rest):
        return [command, *rest]
    given = {argument.partition("=")[0] for argument in rest}
    added: list[str] = []
    for names, value in DEFAULTS.items() if command == "run" else ():
        if not given & set(names):
            added += [names[0], value]
    return [command, *rest, *added]


def main() -> None:
    """An EquinfoError becomes one line and exit status 1."""
    sys.argv[1:] = with_defaults(sys.argv[1:])
    try:
        cli_evaluate()
    except EquinfoError as error:
        print(f"equinfo: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
