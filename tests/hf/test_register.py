"""Folders, and the Auto classes that read them: here, in new processes, by remote code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tokenizer_zoo as zoo
import transformers
from tokenizers import Tokenizer as Library

import equinfo
from equinfo import EquinfoError, load
from equinfo.hf.tokenizer import EquinfoTokenizer

ROOT = Path(__file__).parents[2]
TEXT = "In the beginning 🙂"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tokenizer's folder that has been moved."""
    made, moved = tmp_path_factory.mktemp("made") / "a", tmp_path_factory.mktemp("moved") / "b_c"
    native().as_hf(padding_side="left").save_pretrained(made)
    shutil.copytree(made, moved)
    shutil.rmtree(made)
    return moved


@pytest.fixture(scope="module")
def with_model(tmp_path_factory):
    """The same beside an M2's configuration."""
    from equinfo.hf.config import EquinfoConfig

    path = tmp_path_factory.mktemp("m2")
    EquinfoConfig(vocab_size=native().vocab_size, n_layers=1).save_pretrained(path)
    native().as_hf(padding_side="left").save_pretrained(path)
    return path


def native():
    return zoo.make("codebook-free")


def wanted_ids():
    return [native().bos_id, *native().encode(TEXT).tolist()]


def run(code: str, *arguments: object, check: bool = True, **environment: str) -> str:
    """The output of a new process, or its errors where `check` is off."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == check, done.stderr
    return done.stdout if check else done.stderr


NO_TORCH = "import sys; sys.modules['torch'] = None\n"
REGISTER = "import equinfo\n"
AUTO = "from transformers import AutoTokenizer\n"
LOAD = """
for folder in sys.argv[2:]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    print(type(tokenizer).__module__, tokenizer.padding_side, tokenizer(sys.argv[1])["input_ids"])
"""


@pytest.mark.parametrize("imports", [REGISTER + AUTO, AUTO + REGISTER])
def test_auto_tokenizer_reads_the_folder_in_either_order_of_imports_and_without_torch(
    imports, folder, with_model
):
    output = run(NO_TORCH + imports + LOAD, TEXT, folder, with_model)
    assert output.splitlines() == [f"equinfo.hf.tokenizer left {wanted_ids()}"] * 2


def test_remote_code_reads_it_where_equinfo_was_never_imported(folder, with_model, tmp_path):
    code = (
        LOAD.replace("(folder)", "(folder, trust_remote_code=True)")
        + "    tokenizer.save_pretrained(folder + '/again')"
    )
    output = run(NO_TORCH + AUTO + code, TEXT, folder, with_model, HF_HOME=str(tmp_path))
    assert output.splitlines() == [f"equinfo.hf.tokenizer left {wanted_ids()}"] * 2
    again = Path(shutil.move(folder / "again", tmp_path / "again"))
    assert files(again) == files(folder)


def files(folder):
    """All files' contents but the one that only transformers 4 writes from the others."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    return {name: data for name, data in found.items() if name != "special_tokens_map.json"}


def test_without_equinfo_transformers_names_it(folder, tmp_path):
    code = LOAD.replace("(folder)", "(folder, trust_remote_code=True)")
    code = f"{NO_TORCH}sys.modules['equinfo'] = None\n{AUTO}{code}"
    assert "equinfo" in run(code, TEXT, folder, check=False, HF_HOME=str(tmp_path)).splitlines()[-1]


def test_registering_imports_neither_transformers_nor_torch_nor_datasets():
    code = (
        f"import sys\n{REGISTER}print({{'transformers', 'torch', 'datasets'}} & set(sys.modules))"
    )
    assert run(code).strip() == "set()"


def test_without_wrapt_what_is_imported_already_is_told_and_without_transformers_nothing_happens(
    folder,
):
    output = run(f"{NO_TORCH}sys.modules['wrapt'] = None\n{AUTO}{REGISTER}{LOAD}", TEXT, folder)
    assert output.strip() == f"equinfo.hf.tokenizer left {wanted_ids()}"
    for missing in ("wrapt", "transformers"):
        run(
            f"import sys; sys.modules[{missing!r}] ="
            f" None\n{REGISTER}equinfo.load('bytes').encode('a')"
        )


def test_the_model_class_is_found_by_its_configuration(with_model):
    pytest.importorskip("torch")
    code = """
from transformers import AutoConfig, AutoModelForCausalLM
config = AutoConfig.from_pretrained(sys.argv[1])
assert "equinfo.hf.model" not in sys.modules
print(type(AutoModelForCausalLM.from_config(config)).__module__)
"""
    assert run("import sys\n" + REGISTER + code, with_model).split() == ["equinfo.hf.model"]


# -- folders ---------------------------------------------------------------------------------------


def test_a_folder_keeps_settings_and_added_tokens(tmp_path):
    tokenizer = native().as_hf(model_max_length=100, additional_special_tokens=["<x>"])
    tokenizer.add_tokens(["<tool>"])
    tokenizer.add_special_tokens({"mask_token": "<mask>"})
    tokenizer.pad_token, tokenizer.chat_template = tokenizer.eos_token, "{{ messages }}"
    tokenizer.add_bos_token, tokenizer.truncation_side = False, "left"
    names = tokenizer.save_pretrained(tmp_path / "a")
    assert all(Path(name).is_file() for name in names)
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "a")
    assert again.__reduce__() == tokenizer.__reduce__()
    assert again.all_special_tokens == tokenizer.all_special_tokens
    again.save_pretrained(tmp_path / "b")
    assert files(tmp_path / "b") == files(tmp_path / "a")
    changed = EquinfoTokenizer.from_pretrained(
        tmp_path / "a", padding_side="left", add_bos_token=True
    )
    assert (changed.padding_side, changed("a")["input_ids"][0]) == ("left", changed.bos_token_id)


def test_the_artefact_inside_is_the_native_one(folder):
    assert load(folder / "equinfo_tokenizer").fingerprint == native().fingerprint


def test_a_tampered_artefact_is_refused(folder, tmp_path):
    path = shutil.copytree(folder, tmp_path / "a")
    tensors = path / "equinfo_tokenizer" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"?")
    with pytest.raises(EquinfoError, match="does not match its own hash"):
        transformers.AutoTokenizer.from_pretrained(path)


def test_another_tokenizers_artefact_is_refused(folder, tmp_path):
    path = shutil.copytree(folder, tmp_path / "a")
    shutil.rmtree(path / "equinfo_tokenizer")
    zoo.make("codebook-superword").save(path / "equinfo_tokenizer")
    with pytest.raises(EquinfoError, match="another tokenizer's"):
        transformers.AutoTokenizer.from_pretrained(path)


def test_a_folder_of_another_kind_is_refused_with_the_remedy(tmp_path):
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=Library.from_buffer(zoo.make("bpe").model)
    ).save_pretrained(tmp_path / "plain")
    zoo.make("bytes").save(tmp_path / "native")
    m1 = equinfo.artifacts.PRETRAINED / "english-m1"
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "plain", tmp_path / "native", m1, tmp_path / "empty"):
        with pytest.raises(EquinfoError, match=r"save_pretrained .* equinfo\.load") as error:
            EquinfoTokenizer.from_pretrained(path)
        assert "\n" not in str(error.value)


def test_an_m1_in_the_place_of_the_tokenizer_is_refused(folder, tmp_path):
    path = shutil.copytree(folder, tmp_path / "a")
    shutil.rmtree(path / "equinfo_tokenizer")
    shutil.copytree(equinfo.artifacts.PRETRAINED / "english-m1", path / "equinfo_tokenizer")
    with pytest.raises(EquinfoError, match="is no tokenizer"):
        transformers.AutoTokenizer.from_pretrained(path)


def test_saving_over_something_else_and_by_a_prefix_is_refused(tmp_path):
    (tmp_path / "equinfo_tokenizer").mkdir()
    (tmp_path / "equinfo_tokenizer" / "mine.txt").write_text("mine")
    with pytest.raises(EquinfoError, match=r"mine\.txt"):
        native().as_hf().save_pretrained(tmp_path)
    with pytest.raises(EquinfoError, match="filename_prefix"):
        native().as_hf().save_pretrained(tmp_path / "b", filename_prefix="x")


def test_the_configuration_names_both_ways_to_the_class(folder):
    config = json.loads((folder / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "EquinfoTokenizer"
    assert config["auto_map"] == {"AutoTokenizer": ["tokenization_equinfo.EquinfoTokenizer", None]}
    assert str(ROOT) not in (folder / "tokenizer_config.json").read_text()


def test_without_transformers_the_remedy_is_named():
    code = "import sys, equinfo; sys.modules['transformers'] = None; equinfo.load('bytes').as_hf()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "equinfo.errors.EquinfoError: as_hf needs transformers: pip install 'equinfo[hf]'"
    )
