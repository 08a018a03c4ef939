"""Where an outcome's numbers come from: machines, data, seeds, hyperparameters, code, time."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from experiments.recipes import M1, Recipe, Stream, Training
from experiments.report.outcomes import Outcome
from experiments.rows import Row


def facts(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """(what, its lines) of the rows there are."""
    recipes, rows = [recipe for recipe, _ in outcome.runs], [row for _, row in outcome.runs]
    seeds = sorted({row.seed for row in rows if row.seed is not None})
    found = [
        ("Device", distinct(row.device for row in rows)),
        ("Corpus", distinct(corpora(recipes))),
        ("Text the M2s saw", text_seen(rows)),
        ("Training", trainings(recipes)),
        ("Seeds", [", ".join(map(str, seeds))] if seeds else []),
        ("Code", [f"commit {commit}" for commit in distinct(row.commit for row in rows)]),
        ("Recipe version", distinct(str(row.version) for row in rows)),
        ("Software", software(rows)),
        ("Time", [f"{duration(sum(row.seconds for row in rows))} in {count(len(rows), 'run')}"]),
    ]
    return [(name, lines) for name, lines in found if lines]


def distinct(values: Iterable[str]) -> list[str]:
    return sorted({value for value in values if value})


def corpora(recipes: Iterable[Recipe]) -> Iterator[str]:
    """The corpora of their streams and M1s."""
    for part in everything(recipes):
        if isinstance(part, (Stream, M1)):
            yield part.corpus


def everything(recipes: Iterable[Recipe]) -> Iterator[Recipe]:
    for recipe in recipes:
        yield from recipe.parts()
        yield recipe


def text_seen(rows: Iterable[Row]) -> list[str]:
    """Bytes of text behind the ids that M2s were trained on: fewest and most."""
    seen = [row.trained_tokens * row.ratio for row in rows if row.type == "LM"]
    if not seen:
        return []
    low, high = (f"{value / 1e6:,.1f} MB" for value in (min(seen), max(seen)))
    return [low if low == high else f"{low} to {high}, repeats counted (ids seen × bytes/token)"]


def trainings(recipes: Iterable[Recipe]) -> list[str]:
    """A line for every training but for learning rate and seed; M1's first."""
    rates: dict[str, set[float]] = defaultdict(set)
    for part in everything(recipes):
        training = getattr(part, "training", None)
        if isinstance(training, Training):
            kind = "M1" if isinstance(part, M1) else "M2"
            line = (
                f"{kind} {training.size}: {training.steps:,} steps of {training.batch_size} × {training.context:,} ids,"
                f" {training.style} style, {training.precision}"
            )
            rates[line].add(training.learning_rate)
    return [f"{line}, learning rate {_listed(sorted(rates[line]))}" for line in sorted(rates)]


def _listed(rates: list[float]) -> str:
    return ", ".join(f"{rate:.3g}" for rate in rates)


def software(rows: Iterable[Row]) -> list[str]:
    """Every set of versions once, e.g. "python 3.12, torch 2.9"."""
    return distinct(", ".join(f"{name} {version}" for name, version in row.versions.items()) for row in rows)


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
