"""FLOPs: the paper's formula gives the paper's numbers, the exact one what torch counts."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from equinfo.lm.config import DecoderConfig, modern, paper
from equinfo.lm.decoder import Decoder
from equinfo.lm.flops import flops_per_byte, flops_per_byte_exact, flops_per_token_exact


@pytest.mark.parametrize(
    ("ratio", "m1", "mflops"),
    [(1.0, 0, 50.33), (4.28, 0, 11.76), (5.31, 3_145_728, 15.77)],
    ids=["Bytes", "SentencePiece", "EqualInfoAC[16,65k]"],
)
def test_the_papers_formula(ratio, m1, mflops):
    """Table 15's 25m column (50, 11.69, 15.42) with counted sizes in place of nominal ones."""
    assert flops_per_byte(paper("25m", 256), ratio, m1) / 1e6 == pytest.approx(mflops, abs=0.01)


@pytest.mark.parametrize("style", [modern, paper])
def test_the_exact_count_of_one_step_is_torchs(style):
    config = style("0.1m", 300)
    if config.position == "relative":
        config = DecoderConfig(300, 64, 2, 2, 32, 256, position="relative", relative_clip=0)
    # torch counts the products inside attention only where they are products of its own
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        Decoder(config).logits(torch.zeros(1, 1, dtype=torch.int64))
    assert flops_per_token_exact(config, 1) == counter.get_total_flops()


@pytest.mark.parametrize("context", [1, 5, 50])
def test_the_mean_over_a_context_is_the_mean_of_its_steps(context):
    config = DecoderConfig(300, 64, 2, 3, 32, 256, position="relative", relative_clip=9)
    steps = [4 * config.inner * t + 2 * config.inner * min(t, 10) for t in range(1, context + 1)]
    expected = 2 * config.parameters + 3 * sum(steps) / context + 2 * 64 * 300
    assert flops_per_token_exact(config, context) == pytest.approx(expected)
    assert flops_per_byte_exact(config, 2.0, context) == pytest.approx(expected / 2)
    told = replace(config, period=3, bigrams=9, shares=True)
    assert flops_per_token_exact(told, context) == pytest.approx(expected + 3 * 2 * 64)
