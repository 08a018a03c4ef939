"""Tokens a second of an M2 training step, ours against Hugging Face's Llama of the same shape.

    python -m benchmarks.train_step [--size 0.4m] [--vocab 4099]

Both take the same steps (forward, loss, backward, clipping, AdamW) on the same ids, in alternating
rounds; the medians are printed, and their ratio.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import tyro
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.common import alternate
from equinfo.lm.config import DecoderConfig, OptimizerConfig, modern
from equinfo.lm.decoder import Decoder
from equinfo.lm.loss import cross_entropy
from equinfo.lm.optimize import make_optimizer
from equinfo.lm.routing import Routing


def step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor]
) -> None:
    optimizer.zero_grad(set_to_none=True)
    found = loss()
    found.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    float(found.detach())


def ours(c: DecoderConfig, ids: Tensor) -> Callable[[], None]:
    model = Decoder(c).initialise(0)

    def loss() -> Tensor:
        routing = Routing()
        hidden = model(ids[:, :-1], routing=routing).flatten(0, 1)
        nats, _ = cross_entropy(hidden, model.head_weight, ids[:, 1:].flatten())
        return nats / len(hidden) + routing.loss(OptimizerConfig.balance_loss)

    return partial(step, model, make_optimizer(OptimizerConfig(), model), loss)


def hugging_face(c: DecoderConfig, ids: Tensor) -> Callable[[], None]:
    shape = {"hidden_size": c.d_model, "intermediate_size": c.d_ff, "head_dim": c.head_dim}
    shape |= {"num_hidden_layers": c.n_layers, "num_attention_heads": c.n_heads}
    options = {"vocab_size": c.vocab_size, "tie_word_embeddings": False, "use_cache": False}
    model = LlamaForCausalLM(LlamaConfig(**shape, **options))

    def loss() -> Tensor:
        logits = model(ids[:, :-1]).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    return partial(step, model, torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True), loss)


def main(
    size: str = "0.4m", vocab: int = 4099, batch: int = 16, context: int = 256, rounds: int = 28
) -> None:
    config = modern(size, vocab)
    ids = np.random.default_rng(0).integers(0, vocab, (batch, context + 1))
    steps = [make(config, torch.from_numpy(ids)) for make in (ours, hugging_face)]
    a, b = (batch * context / seconds for seconds in alternate(rounds, *steps))
    print(f"equinfo {a:,.0f} tokens/s, transformers {b:,.0f}: {a / b:.2f}x", end="")
    print(f" ({torch.get_num_threads()} threads, float32)")


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
