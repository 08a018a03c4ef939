"""Who may import whom (docs/design.md), read from the source; imports inside functions count."""

import os
import subprocess
import sys
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "draw"))

from rooms import AS_HF, graph, imported, room, up  # noqa: E402

MODULES = sorted(
    path.relative_to(ROOT)
    for room in ("equinfo", "experiments")
    for path in (ROOT / room).rglob("*.py")
)

# (files, files excepted, what they never import, below any function or not)
RULES = [
    (
        "equinfo/compress/*",
        (),
        ("torch", "tokenizers", "sentencepiece", "equinfo.lm", "equinfo.tokenizers"),
    ),
    ("equinfo/tokenizers/*", (), ("torch", "equinfo.lm", "equinfo.api", "equinfo.cli")),
    (
        "equinfo/lm/*",
        ("equinfo/lm/bridge.py", "equinfo/lm/canonical.py"),
        ("equinfo.tokenizers", "equinfo.compress", "equinfo.corpora"),
    ),
    ("equinfo/lm/bridge.py", (), ("equinfo.tokenizers", "equinfo.corpora")),
    ("equinfo/lm/canonical.py", (), ("equinfo.tokenizers", "equinfo.corpora")),
    ("equinfo/plain/*", (), ("numpy", "numba", "equinfo.compress", "equinfo.tokenizers")),
    ("equinfo/*", (), ("experiments", "tests", "benchmarks")),
    # what Windows has not
    ("equinfo/*", (), ("fcntl", "resource", "pwd", "grp", "termios", "posix")),
    ("*", ("equinfo/plain/*",), ("equinfo.plain",)),
    (
        "equinfo/*",
        (
            "equinfo/lm/*",
            "equinfo/hf/model.py",
            "equinfo/hf/logits.py",
            "equinfo/harness/*",
            "equinfo/loading.py",
        ),
        ("torch",),
    ),
    ("*", ("equinfo/hf/*",), ("transformers",)),
    ("*", ("equinfo/engines.py",), ("ray",)),
    ("*", ("equinfo/sources.py",), ("fsspec", "upath")),
    ("*", ("equinfo/harness/*",), ("lm_eval",)),
    ("*", ("equinfo/playground/*",), ("gradio",)),
    ("equinfo/*", ("equinfo/comparison.py",), ("matplotlib",)),
    (
        "*",
        ("equinfo/formats/*", "equinfo/hf/*", "equinfo/harness/*", "equinfo/sources.py"),
        ("datasets", "pyarrow"),
    ),
    ("*", ("equinfo/tokenizers/bpe.py", "equinfo/tokenizers/huggingface.py"), ("tokenizers",)),
    (
        "*",
        ("equinfo/tokenizers/unigram.py", "equinfo/tokenizers/sentencepieces.py"),
        ("sentencepiece",),
    ),
    ("*", ("equinfo/tokenizers/opaque.py",), ("deflate",)),
    ("*", ("equinfo/tokenizers/opaque.py", "equinfo/reading.py"), ("lzma",)),
    (
        "*",
        ("equinfo/tokenizers/opaque.py", "equinfo/reading.py", "equinfo/zstd.py"),
        ("zstandard",),
    ),
    ("*", ("equinfo/compress/coder/rivals.py",), ("constriction",)),
    (
        "experiments/exhibits/*",
        (),
        ("torch", "equinfo.lm", "equinfo.tokenizers", "equinfo.compress", "equinfo.api"),
    ),
]

# What `import equinfo` must not load: it is heavy, or needed by some commands alone.
HEAVY = (
    "torch",
    "numba",
    "tokenizers",
    "sentencepiece",
    "deflate",
    "zstandard",
    "constriction",
    "tyro",
    "tqdm",
    "matplotlib",
    "datasets",
    "pyarrow",
    "transformers",
    "scipy",
    "gradio",
    "lm_eval",
)


def broken_rules(file: str, source: str) -> list[str]:
    """Each import in `source` that `file` may not have."""
    modules = set(imported(source))
    return [
        f"{file} imports {module}"
        for files, excepted, forbidden in RULES
        if fnmatch(file, files) and not any(fnmatch(file, exception) for exception in excepted)
        for module in sorted(modules)
        if any(module == name or module.startswith(f"{name}.") for name in forbidden)
    ]


@pytest.mark.parametrize("file", MODULES, ids=str)
def test_every_module_keeps_the_rules(file):
    assert broken_rules(file.as_posix(), (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("equinfo/compress/coder/coder.py", "def f():\n    import torch.nn"),
        ("equinfo/compress/coder/coder.py", "from equinfo.tokenizers import base"),
        ("equinfo/tokenizers/byte.py", "from equinfo import lm"),
        ("equinfo/tokenizers/byte.py", "if True:\n    from tokenizers import models"),
        ("equinfo/tokenizers/bpe.py", "import importlib\nimportlib.import_module('sentencepiece')"),
        (
            "equinfo/lm/train.py",
            "class A:\n    def f(self):\n        from equinfo.compress import bits",
        ),
        ("equinfo/lm/bridge.py", "import equinfo.tokenizers.base"),
        ("equinfo/plain/windows.py", "import numpy as np"),
        ("equinfo/compress/coder/coder.py", "from equinfo import plain"),
        ("equinfo/api.py", "import torch"),
        ("equinfo/cli.py", "from experiments import rows"),
        ("experiments/exhibits/table1.py", "from equinfo import api"),
        ("experiments/exhibits/fig3.py", "def plot():\n    import torch"),
    ],
)
def test_the_rules_catch_what_breaks_them(file, source):
    assert broken_rules(file, source)


def test_the_rules_let_pass_what_keeps_them():
    assert (
        broken_rules(
            "equinfo/tokenizers/bpe.py", "import tokenizers\nfrom equinfo.compress import bits"
        )
        == []
    )
    assert (
        broken_rules(
            "equinfo/lm/bridge.py", "from equinfo.compress.network.integer import IntegerByteModel"
        )
        == []
    )
    assert broken_rules("equinfo/tokenizers/torchless.py", "import torchless") == []


def test_no_test_asks_the_clock():
    files = (ROOT / "tests").rglob("*.py")
    asking = [file.name for file in files if "time" in imported(file.read_text(encoding="utf-8"))]
    assert asking == []


def circle(graph):
    """Modules that import one another in a circle, the first one again at the end; or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return []


def test_no_files_import_each_other_in_a_circle():
    """But by the one way up, `Tokenizer.as_hf`."""
    assert "equinfo.hf.tokenizer" in graph()["equinfo.tokenizers.base"]
    one_way = graph()["equinfo.tokenizers.base"] - {"equinfo.hf.tokenizer"}
    assert circle(graph() | {"equinfo.tokenizers.base": one_way}) == []


def test_rooms_import_downwards_only():
    """But for `Tokenizer.as_hf`, and a baseline's name on the hub."""
    assert up() == {AS_HF}
    climbing = {a for a, used in graph().items() if AS_HF in {(room(a), room(b)) for b in used}}
    assert climbing == {"equinfo.tokenizers.base", "equinfo.tokenizers.imported"}


def test_a_circle_is_found():
    assert sorted(set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}))) == list("abc")


def loaded_by(code: str) -> set[str]:
    """Which of HEAVY a fresh process has loaded after `code`."""
    code += f"\nimport sys; print('loaded', *[m for m in {HEAVY!r} if m in sys.modules])"
    rooms = (ROOT, ROOT / "tests" / "tokenizers", ROOT / "benchmarks")
    paths = os.pathsep.join(map(str, rooms))
    output = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert output.returncode == 0, output.stderr
    return set(output.stdout.split("loaded", 1)[1].split())


def test_importing_equinfo_loads_nothing_heavy():
    names = "import equinfo, sys; assert set(equinfo.__all__) <= set(dir(equinfo))\n"
    names += "assert 'equinfo.api' not in sys.modules\n"
    assert loaded_by(names + "equinfo.load('bytes').encode('text')") == set()


def test_gzip_loads_no_other_family():
    numbas_own = loaded_by(
        "import numba; numba.njit(lambda: 0)()"
    )  # it loads what other packages add to it
    assert loaded_by("import equinfo; equinfo.load('gzip12').encode('text')") - numbas_own == {
        "deflate"
    }
    assert loaded_by("import equinfo; equinfo.load('xz12').encode('text')") - numbas_own == set()


def test_every_tokenizer_works_without_torch():
    """Also those over a network; and with an import of torch forbidden, not only unused."""
    used = loaded_by(
        "import sys; sys.modules['torch'] = None\n"
        "import equinfo\n"  # whose modules are there by their names
        "equinfo.api.train_m1, equinfo.compress, equinfo.corpora, equinfo.show\n"
        "import tokenizer_zoo as zoo\n"
        "for name in zoo.PLAIN + zoo.STATIC[:4] + zoo.NEURAL[:4] + zoo.NEURAL[-1:]:\n"
        "    made = zoo.make(name)\n"
        "    assert made.decode(made.encode('In the beginning')) == b'In the beginning', name\n"
        "del sys.modules['torch']"
    )
    assert "torch" not in used
