"""lm_eval without a network."""

import os
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}  # before lm_eval is imported
sys.path.insert(0, str(Path(__file__).parents[1] / "tokenizers"))

import pytest
from harness_lms import NAMES, make


@pytest.fixture(params=NAMES)
def lm(request):
    return make(request.param)
