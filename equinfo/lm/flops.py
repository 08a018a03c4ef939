"""Inference cost of a byte of text: as the paper counts it, and exactly."""

from equinfo.lm.config import DecoderConfig


def flops_per_byte(model: DecoderConfig, ratio: float, m1_parameters: int = 0) -> float:
    """2 x parameters (no embeddings, no output) a token, / bytes a token, + 2 x M1's a byte (§3.8).

    The paper puts nominal sizes for parameters ("25m" as 25 M); ours are counted, those that a
    token passes through.
    """
    return 2 * model.active_parameters() / ratio + 2 * m1_parameters


def flops_per_token_exact(model: DecoderConfig, context: int, taken: float | None = None) -> float:
    """Multiplications and additions of all products in a cached step, the mean of all positions.

    Step t = 1 .. context reads t keys and values, and min(t, clip + 1) relative terms. Look-ups of
    embeddings cost none; where each layer takes a share of them, that is a product a channel.
    taken: the share of positions that routed blocks compute, of which each reads that share of all;
    None: depth_capacity, as in training.
    """
    share = model.depth_capacity if taken is None else taken
    mean_length = (context + 1) / 2
    attention = 4 * model.inner * mean_length
    if model.position == "relative":
        reach = min(model.relative_clip + 1, context)
        terms = reach * (reach + 1) / 2 + (context - reach) * reach
        attention += 2 * model.inner * terms / context
    routed = len(model.routed_blocks)
    attention *= model.n_layers - routed + routed * share**2
    shares = 2 * model.d_model * model.shares * model.n_layers
    output = 2 * model.d_model * model.vocab_size
    return 2 * model.active_parameters(share) + attention + shares + output


def flops_per_byte_exact(
    model: DecoderConfig, ratio: float, context: int, taken: float | None = None
) -> float:
    """`flops_per_token_exact` over bytes a token, attention and output layer included; not M1's."""
    return flops_per_token_exact(model, context, taken) / ratio
