"""Keys and values of what a decoder has seen, so that a step costs one position, not all."""

import torch
from torch import Tensor

from equinfo.lm.config import DecoderConfig


class LayerCache:
    """One layer's keys and values: f32[batch, heads, capacity, head_dim], filled up to `length`."""

    def __init__(self, shape: tuple[int, int, int, int], device: torch.device | str) -> None:
        self.keys = torch.empty(shape, device=device)
        self.values = torch.empty(shape, device=device)
        self.taken = torch.zeros(shape[0], shape[2], dtype=torch.bool, device=device)
        self.length = 0

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Take in [batch, heads, time, head_dim] each; all there is now."""
        end = self.length + keys.shape[2]
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def taking(self, taken: Tensor) -> Tensor:
        """Note which of the next positions a routed block computes, bool[batch, time]; of all."""
        end = self.length + taken.shape[1]
        self.taken[:, self.length : end] = taken
        return self.taken[:, :end]


class KVCache:
    """For `batch` sequences of at most `capacity` ids, all of one length.

    places: what `Decoder.places` last found, i64[batch, time], where the LM is told places. ids:
    what `Decoder.pairs` last read, i64[batch, time], where the LM has bigrams.
    """

    places: Tensor
    ids: Tensor

    def __init__(
        self, config: DecoderConfig, batch: int, capacity: int, device: torch.device | str = "cpu"
    ) -> None:
        shape = (batch, config.n_heads, capacity, config.head_dim)
        self.capacity = capacity
        self.rotary: tuple[Tensor, Tensor] | None = None
        self.layers = [LayerCache(shape, device) for _ in range(config.n_layers)]

    @property
    def length(self) -> int:
        return self.layers[0].length

    def clear(self) -> None:
        """Forget everything seen."""
        for layer in self.layers:
            layer.length = 0
