"""What users of the wheel do first, in an environment without anything else; tests/wheel.sh makes
it and runs this.

    python -P wheel_check.py base|hf|all
    python -P wheel_check.py files ROOT WHEEL SDIST

The first in an empty folder, by the environment's Python; -P keeps the folders of tests/ from being
imported.
"""

import importlib.metadata
import json
import re
import socket
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

TEXT = "In the beginning God created the heaven and the earth. Ünïcödé 🙂\n"
READY_MADE = {"english-16k", "english-32k", "english-64k", "english-equalinfo16"}
NOT_SHIPPED = {".ci/run", ".pre-commit-config.yaml"}
OPTIONAL = {
    "base": {"torch", "transformers", "datasets", "lm_eval", "gradio"},
    "hf": {"torch", "lm_eval", "gradio"},
    "all": set(),
}


def command(*arguments: object, status: int = 0) -> str:
    """What `equinfo ...` prints; its errors where another status than 0 is right."""
    return run(Path(sys.executable).with_name("equinfo"), *arguments, status=status)


def python(code: str, *arguments: object) -> str:
    """What a new process prints."""
    return run(sys.executable, "-c", code, *arguments)


def run(*arguments: object, status: int = 0) -> str:
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    assert done.returncode == status, f"{arguments} ended with {done.returncode}: {done.stderr}"
    return done.stderr if status else done.stdout


# -- without extras --------------------------------------------------------------------------------


def the_package_is_the_installed_one(stage):
    import equinfo

    assert Path(equinfo.__file__).is_relative_to(sys.prefix), equinfo.__file__
    assert equinfo.__version__ == importlib.metadata.version("equinfo")
    assert {name for name in OPTIONAL["base"] if find_spec(name) is None} == OPTIONAL[stage]


def ready_made_tokenizers_give_any_bytes_back():
    import equinfo
    from equinfo.artifacts import PRETRAINED, pretrained
    from equinfo.tokenizers.registry import pretrained_tokenizers

    assert set(pretrained_tokenizers()) == READY_MADE
    assert all((PRETRAINED / f"{name}.md").is_file() for name in pretrained())
    for name in READY_MADE:
        tokenizer = equinfo.load(name)
        for data in (TEXT.encode(), bytes(range(256)) * 3):
            assert tokenizer.decode(tokenizer.encode(data)) == data, name


def the_bundled_corpus_is_there():
    import equinfo

    assert next(iter(equinfo.load_corpus("bundled").documents("train")))


def show_encode_and_decode():
    assert "[In the][ beginning]" in command(
        "show", "-t", "english-64k", "-t", "bytes", "In the beginning"
    )
    Path("text").write_text(TEXT * 100, encoding="utf-8")
    for name in READY_MADE:
        command("encode", "text", "-t", name, "-o", "ids")
        command("decode", "ids", "-t", name, "-o", "back")
        assert Path("back").read_bytes() == Path("text").read_bytes(), name


def what_needs_an_extra_names_it_in_one_line():
    import equinfo

    said = {
        "lm": command("generate", "In", "--lm", "lm", "-t", "bytes", status=1),
        "playground": command("playground", status=1),
    }
    try:
        equinfo.load("english-16k").as_hf()
    except equinfo.EquinfoError as error:
        said["hf"] = f"equinfo: {error}\n"
    assert set(said) == {"lm", "playground", "hf"}
    for extra, line in said.items():
        assert re.fullmatch(rf"equinfo: .*equinfo\[{extra}\].*\n", line), line


# -- with transformers -----------------------------------------------------------------------------

AUTO = """
import sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=sys.argv[2] == "remote")
print(type(tokenizer).__module__, tokenizer(sys.argv[3])["input_ids"])
"""


def tokenizers_in_transformers():
    import equinfo

    for name in sorted(READY_MADE):
        native = equinfo.load(name)
        tokenizer = native.as_hf()
        ids = tokenizer(TEXT)["input_ids"]
        assert ids == [native.bos_id, *native.encode(TEXT).tolist()], name
        assert tokenizer.decode(ids, skip_special_tokens=True) == TEXT, name
        tokenizer.save_pretrained(f"{name}-hf")
        for code, how in (("import equinfo" + AUTO, "registered"), (AUTO, "remote")):
            printed = python(code, f"{name}-hf", how, TEXT)
            assert printed.splitlines() == [f"equinfo.hf.tokenizer {ids}"], (name, how, printed)


def tokenizers_in_datasets():
    import datasets

    import equinfo

    tokenizer = equinfo.load("english-16k").as_hf()
    rows = datasets.Dataset.from_dict({"text": [TEXT] * 3}).map(
        lambda row: tokenizer(row["text"]), batched=True
    )
    assert rows["input_ids"][2] == tokenizer(TEXT)["input_ids"]


# -- with torch, lm_eval and gradio ----------------------------------------------------------------


def training_and_its_commands():
    import equinfo

    equinfo.train_lm(
        "lm",
        "english-16k",
        "bundled",
        size="30k",
        steps=5,
        batch_size=4,
        context=32,
        max_bytes=200_000,
    )
    written = command("generate", "In the", "--lm", "lm", "-t", "english-16k", "--max-ids", 5)
    assert written.startswith("In the"), written
    assert "bits/byte" in command(
        "evaluate", "--lm", "lm", "-t", "english-16k", "--max-bytes", 20_000
    )


def a_language_model_in_transformers():
    import torch
    from transformers import pipeline

    import equinfo
    from equinfo.hf.model import EquinfoForCausalLM
    from equinfo.lm.train import load_model

    tokenizer = equinfo.load("english-16k").as_hf()
    ids = tokenizer("In the beginning", return_tensors="pt")["input_ids"]
    model, decoder = EquinfoForCausalLM.from_lm("lm", tokenizer), load_model("lm").eval()
    with torch.no_grad():
        assert torch.equal(model(ids).logits, decoder.logits(ids))
    model.save_pretrained("lm-hf")
    tokenizer.save_pretrained("lm-hf")
    [written] = pipeline("text-generation", model="lm-hf")("In the", max_new_tokens=5)
    assert written["generated_text"].startswith("In the"), written


def harness_finds_and_runs_its_tasks():
    import equinfo
    from equinfo.harness import TASKS, EquinfoLM, evaluate

    results = evaluate(EquinfoLM("lm", equinfo.load("english-16k")), limit=2)
    assert set(results) == set(TASKS), results
    arguments = ("--model_args", "lm=lm,tokenizer=english-16k", "--limit", 2)
    printed = run(sys.executable, "-m", "equinfo.harness", *arguments)
    assert all(task in printed for task in TASKS), printed


def the_playgrounds_page_opens():
    from equinfo.playground.server import HERE

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = [str(Path(sys.executable).with_name("equinfo")), "playground", "--port", str(port)]
    served += ["--lm", "lm", "--lm-tokenizer", "english-16k"]
    with subprocess.Popen(served, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert f"http://127.0.0.1:{port}/" in server.stdout.readline()
            assert "equinfo playground" in fetched(f"http://127.0.0.1:{port}/")
            head = json.loads(fetched(f"http://127.0.0.1:{port}/config"))["head"]
        finally:
            server.terminate()
    for name in ("style.css", "keys.js"):
        assert (HERE / name).read_text(encoding="utf-8") in head, name


def fetched(address: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address) as answer:
        return answer.read().decode()


# -- what is in the archives -----------------------------------------------------------------------


def the_archives_hold_what_the_repository_does(root, wheel, sdist):
    listed = run(
        "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"
    ).splitlines()
    here = {name for name in listed if (Path(root) / name).is_file()}
    print(
        f"{Path(wheel).stat().st_size / 1e6:.1f} MB wheel, {Path(sdist).stat().st_size / 1e6:.1f}"
        " MB sdist"
    )
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    differ = packed ^ {name for name in here if name.startswith("equinfo/")}
    assert not differ, differ
    with tarfile.open(sdist) as archive:
        packed = {member.name.partition("/")[2] for member in archive if member.isfile()}
    differ = packed ^ ((here - NOT_SHIPPED) | {"PKG-INFO"})
    assert not differ, differ


CHECKS = {
    "base": (
        ready_made_tokenizers_give_any_bytes_back,
        the_bundled_corpus_is_there,
        show_encode_and_decode,
        what_needs_an_extra_names_it_in_one_line,
    ),
    "hf": (tokenizers_in_transformers, tokenizers_in_datasets),
    "all": (
        training_and_its_commands,
        a_language_model_in_transformers,
        harness_finds_and_runs_its_tasks,
        the_playgrounds_page_opens,
    ),
}


def main(stage: str, *arguments: str) -> None:
    """The first check that fails ends it, by its exception."""
    if stage == "files":
        checks = [(the_archives_hold_what_the_repository_does, arguments)]
    else:
        checks = [
            (the_package_is_the_installed_one, (stage,)),
            *((check, ()) for check in CHECKS[stage]),
        ]
    for check, values in checks:
        print(check.__name__.replace("_", " "), end=": ", flush=True)
        check(*values)
        print("ok", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
