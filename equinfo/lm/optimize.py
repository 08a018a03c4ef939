"""Optimisers and schedules of the two recipes: torch's own AdamW and Adafactor."""

import math
from collections.abc import Iterator

import torch

from equinfo.lm.config import OptimizerConfig
from equinfo.lm.decoder import ZEROS, Decoder

DECAY_TO = 0.1


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """The rate of step 1 .. steps.

    rsqrt: learning_rate / sqrt(max(step, warmup_steps)), the paper's (§3.4). warmup_decay: linear
    up, then cosine down to a tenth.
    """
    if config.schedule == "rsqrt":
        return config.learning_rate / math.sqrt(max(step, config.warmup_steps))
    warmup = min(config.warmup_steps, steps)
    if step <= warmup:
        return config.learning_rate * step / warmup
    done = (step - warmup) / max(steps - warmup, 1)
    return config.learning_rate * (DECAY_TO + (1 - DECAY_TO) * 0.5 * (1 + math.cos(math.pi * done)))


def make_optimizer(
    config: OptimizerConfig,
    model: Decoder,
    adafactor: type[torch.optim.Adafactor] = torch.optim.Adafactor,
) -> torch.optim.Optimizer:
    """Adafactor over all parameters (it scales by a matrix's size), or AdamW, decaying matrices."""
    if config.name == "adafactor":
        # torch scales by min(lr, 1 / sqrt(step)): up to the paper's 1.0 that is always our lr
        return adafactor(model.parameters(), lr=config.learning_rate, weight_decay=0.0)
    embeddings = (".rel.weight", "embed.weight", *ZEROS)
    decayed: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, weight in model.named_parameters():
        is_matrix = weight.dim() > 1 and not name.endswith(embeddings)
        (decayed if is_matrix else others).append(weight)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    betas = (config.beta1, config.beta2)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=True)


def moments(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, tuple[int, ...]]]:
    """NUMBER.NAME and shape of each part of its state, once it has taken a step."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for number, weight in enumerate(weights):
        whole = tuple(weight.shape)
        parts: dict[str, tuple[int, ...]] = {"step": ()}
        if isinstance(optimizer, torch.optim.AdamW):
            parts |= {"exp_avg": whole, "exp_avg_sq": whole}
        elif len(whole) > 1:
            parts |= {"row_var": (*whole[:-1], 1), "col_var": (*whole[:-2], 1, whole[-1])}
        else:
            parts |= {"variance": whole}
        for name, shape in parts.items():
            yield f"{number}.{name}", shape
