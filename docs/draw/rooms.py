"""Which rooms of the package rest on which: the imports in the source, each arrow downwards."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from svg import Drawing

ROOT = Path(__file__).resolve().parents[2]
COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 148, 64, 130, 40, 78

# room -> (floor, column, title, what it does). Only what lies on a lower floor should be imported.
ROOMS = {
    "experiments": (11, 2.6, "experiments/", "recipes → figures"),
    "door": (10, 1.0, "__init__, cli", "Python, command"),
    "hf": (9, 0.15, "hf/", "inside transformers"),
    "playground": (9, 1.2, "playground/", "a local page"),
    "harness": (9, 2.15, "harness/", "lm_eval's tasks"),
    "api": (9, 3.1, "api, comparison", "the chain in steps"),
    "formats": (9, 4.05, "formats/", "ids for other trainers"),
    "show": (8, 1.15, "show, tokenfile", "ids seen, ids in a file"),
    "generation": (8, 2.1, "generation", "text → text"),
    "shards": (8, 3.75, "shards, sharding", "ids on disk"),
    "tokenizers": (5, 1.0, "tokenizers/", "bytes ↔ ids"),
    "lm": (5, 2.65, "lm/", "ids → next ids; torch"),
    "text": (4, 4.05, "corpora, sources", "names → documents"),
    "compress/codebook": (4, 0.5, "codebook/", "strings that fit a text"),
    "compress/windows": (3, 0.9, "windows/", "b bits at a time"),
    "compress/coder": (3, 1.9, "coder/", "all of a text"),
    "compress/dictionary": (2, 0.5, "dictionary/", "strings with codes"),
    "compress/network": (2, 2.4, "network/", "M1 in integers"),
    "compress/models": (1, 1.9, "models/", "what comes next"),
    "compress": (0, 1.2, "bits, jit, …", "what kernels share"),
    "plain": (2, 4.05, "plain/", "all of it, to read"),
}
# used on many floors: no arrows
BASE = ("errors", "files", "streams", "stored", "artifacts", "fixedpoint", "zstd")
AS_HF = ("tokenizers", "hf")  # the one way up: Tokenizer.as_hf, and names on the hub
FILES = {
    "equinfo": "door",
    "cli": "door",
    "comparison": "api",
    "corpora": "text",
    "sources": "text",
    "reading": "text",
    "inspection": "door",
    "upcycling": "api",
    "loading": "shards",
    "sharding": "shards",
    "engines": "shards",
    "tokenfile": "show",
}


def room(module: str) -> str:
    """The room of a module; "" for what many floors use."""
    package, *parts = module.split(".")
    if package == "experiments" or not parts:
        return package if parts or package in ROOMS else FILES[package]
    if "/".join(parts[:2]) in ROOMS:
        return "/".join(parts[:2])
    return "" if parts[0] in BASE else FILES.get(parts[0], parts[0])


def imported(source: str) -> Iterator[str]:
    """Every module that a source imports, or name from one, dotted; inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports here are absolute"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant))


@cache
def graph() -> dict[str, set[str]]:
    """Each module of equinfo and experiments, and those of them that it imports."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in ("equinfo", "experiments")
        for path in (ROOT / package).rglob("*.py")
    }

    def module_of(name: str) -> str:
        while name and name not in files:
            name = name.rpartition(".")[0]
        return name

    return {
        module: set(map(module_of, imported(path.read_text(encoding="utf-8")))) - {module, ""}
        for module, path in files.items()
    }


def arrows() -> set[tuple[str, str]]:
    """(room, room that it imports), but for those of BASE."""
    pairs = {(room(a), room(b)) for a, used in graph().items() for b in used}
    return {(a, b) for a, b in pairs if a != b and b}


def up() -> set[tuple[str, str]]:
    """Arrows that do not lead to a lower floor."""
    return {(a, b) for a, b in arrows() if not a or ROOMS[a][0] <= ROOMS[b][0]}


def needed(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those without which a room could not be reached."""

    def reached(room: str, pairs: set[tuple[str, str]]) -> set[str]:
        below = {b for a, b in pairs if a == room}
        return below.union(*(reached(b, pairs) for b in below))

    return {pair for pair in pairs if pair[1] not in reached(pair[0], pairs - {pair})}


def rooms() -> Drawing:
    """A box a room. An arrow is left out where others lead there."""
    there = {room(module) for module in graph()}
    floors = sorted({ROOMS[name][0] for name in there - {""}}, reverse=True)
    tops = {floor: 16 + ROW * row for row, floor in enumerate(floors)}
    ground = 16 + ROW * len(floors)
    out = Drawing(760, ground + 62, "The rooms of the package, and which of them import which")
    places = {
        name: (MARGIN + COLUMN * column, tops[floor])
        for name, (floor, column, *_) in ROOMS.items()
        if name in there
    }
    ceiling = places["compress/codebook"][1] - 12
    out.box(10, ceiling, MARGIN + 2.95 * COLUMN - 10, ground - 10 - ceiling, "", "line", 8)
    out.text(24, ground - 24, "compress/", 13, "mono bold")
    upward = up()
    for pair in sorted(needed(arrows() - upward)):
        _arrow(out, places, pair, "line", "")
    for pair in sorted(upward):
        _arrow(out, places, pair, "loud", "4 3")
        (x0, y0), (x1, y1) = (places[name] for name in pair)
        what = "as_hf" if pair == AS_HF else "!"
        out.text((x0 + x1) / 2 - 26, (y0 + y1 + HEIGHT) / 2 + 8, what, 12, "mono loud", "end")
    for name, (x, y) in places.items():
        fill = "b" if name == "plain" else "a" if name.startswith("compress") else "grey"
        _box(out, x, y, WIDTH, fill, *ROOMS[name][2:])
    _box(out, 380, ground, 740, "c", ", ".join(BASE), "used on many floors: no arrows")
    return out


def _box(out: Drawing, x: float, y: float, width: float, fill: str, title: str, about: str) -> None:
    out.box(x - width / 2, y, width, HEIGHT, fill, "line", 5)
    out.text(x, y + 17, title, 12, "mono bold", "middle")
    out.text(x, y + 32, about, 11, "muted", "middle")


def _arrow(
    out: Drawing,
    places: dict[str, tuple[float, float]],
    pair: tuple[str, str],
    stroke: str,
    dash: str,
) -> None:
    """From box to box, leaving and entering to the side where the other is."""
    (x0, y0), (x1, y1) = places[pair[0]], places[pair[1]]
    lean = max(min((x1 - x0) / 6, 45), -45)
    x0, x1 = x0 + lean, x1 - lean
    if y1 > y0:
        y0, y1 = y0 + HEIGHT, y1 - 2
    else:
        x0, x1, y1 = x0 - 20, x1 - 20, y1 + HEIGHT + 2
    out.parts.append(f"<g><title>{pair[0]} imports {pair[1]}</title>")
    out.path(f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}", stroke, 1.4, dash=dash)
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    u, v = (x1 - x0) / length * 7, (y1 - y0) / length * 7
    out.path(
        f"M{x1:.1f} {y1:.1f}L{x1 - u - v / 2:.1f} {y1 - v + u / 2:.1f}"
        f"L{x1 - u + v / 2:.1f} {y1 - v - u / 2:.1f}Z",
        stroke,
        1,
        stroke,
    )
    out.parts.append("</g>")
