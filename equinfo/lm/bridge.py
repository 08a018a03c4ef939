"""The one bridge from `lm` to `compress`: a trained byte LM becomes a byte model."""

from equinfo.compress.models import SYMBOLS
from equinfo.compress.neural import NeuralByteModel
from equinfo.errors import EquinfoError
from equinfo.lm.decoder import Decoder


def to_byte_model(model: Decoder, context: int) -> NeuralByteModel:
    """Freeze a byte LM trained on sequences of `context` ids: f32 weights, read by compress/network.py.

    Raises EquinfoError if its vocabulary is not the 257 symbols.
    """
    config = model.config
    if config.vocab_size != SYMBOLS:
        raise EquinfoError(f"an M1 has {SYMBOLS} ids (bytes and end of document), this LM has {config.vocab_size}")
    described = {
        name: getattr(config, name)
        for name in ("d_model", "n_layers", "n_heads", "head_dim", "d_ff", "position", "activation", "rope_base")
    }
    tensors = {name: t.detach().float().cpu().numpy() for name, t in model.state_dict().items()}
    return NeuralByteModel(
        {**described, "norm_eps": config.norm_eps, "max_context": context, "parameters": config.parameters}, tensors
    )
