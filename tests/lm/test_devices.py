"""What runs on CUDA makes its tensors there: found without a GPU, by pretend_device.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch


def test_all_that_lms_do_keeps_to_its_device_and_gives_the_cpus_numbers():
    pytest.importorskip("torch.utils.backend_registration")
    if not hasattr(torch.utils.backend_registration, "_setup_privateuseone_for_python_backend"):
        pytest.skip(f"torch {torch.__version__} makes no device in Python")
    script = Path(__file__).with_name("pretend_device.py")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "trained, bfloat16" in done.stdout
