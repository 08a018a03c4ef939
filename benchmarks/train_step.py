"""Tokens a second of an M2 training step, ours against Hugging Face's Llama of the same shape,
optimiser and batch.

    python benchmarks/train_step.py [--size 0.4m] [--vocab 4099]

Both take the same steps (forward, loss, backward, clipping, AdamW) on the same ids, in alternating
rounds; the medians and the median of the rounds' ratios are printed.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from equinfo.lm.config import OptimizerConfig, TrainConfig, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.loss import cross_entropy
from equinfo.lm.optimize import make_optimizer


def ours(config: TrainConfig):  # type: ignore[no-untyped-def]
    model = Decoder(config.model).initialise(0)
    optimizer = make_optimizer(config.optimizer, model)

    def step(ids: torch.Tensor) -> float:
        optimizer.zero_grad(set_to_none=True)
        hidden = model(ids[:, :-1]).flatten(0, 1)
        loss, _ = cross_entropy(hidden, model.head_weight, ids[:, 1:].flatten())
        (loss / hidden.shape[0]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def hugging_face(config: TrainConfig):  # type: ignore[no-untyped-def]
    c = config.model
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=c.vocab_size, hidden_size=c.d_model, intermediate_size=c.d_ff,
            num_hidden_layers=c.n_layers,
            num_attention_heads=c.n_heads, head_dim=c.head_dim, tie_word_embeddings=False,
            use_cache=False,
        )
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step(ids: torch.Tensor) -> float:
        optimizer.zero_grad(set_to_none=True)
        logits = model(ids[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="0.4m")
    parser.add_argument("--vocab", type=int, default=4099)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4)
    options = parser.parse_args()
    shape = {"steps": 1, "batch_size": options.batch, "context": options.context}
    config = TrainConfig(modern(options.size, options.vocab), OptimizerConfig(), bos_id=0, **shape)
    ids = np.random.default_rng(0).integers(0, options.vocab, (options.batch, options.context + 1))
    batch = torch.from_numpy(ids)
    steps = {"equinfo": ours(config), "transformers": hugging_face(config)}
    rates: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(options.rounds + 1):
        for name, step in steps.items():
            begun = time.perf_counter()
            for _ in range(options.steps):
                step(batch)
            if number:  # the first round warms up
                rates[name].append(
                    options.steps * options.batch * options.context / (time.perf_counter() - begun)
                )
    for name, values in rates.items():
        print(
            f"{name:<13} {statistics.median(values):10,.0f} tokens/s (min {min(values):,.0f}, max"
            f" {max(values):,.0f})"
        )
    ratios = [a / b for a, b in zip(rates["equinfo"], rates["transformers"], strict=True)]
    print(
        f"equinfo / transformers: {statistics.median(ratios):.2f} ({torch.get_num_threads()}"
        " threads, float32)"
    )


if __name__ == "__main__":
    main()
