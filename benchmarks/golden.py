"""Does this machine compute the integer M1's frequencies to the bit? python -m benchmarks.golden

Prints device, versions and the golden hash by Numba, torch on the CPU and torch on CUDA where there
is one; ends with 1 if any differs from the pinned one.
"""

import platform
import sys

import numba
import numpy as np
import torch

from benchmarks.golden_networks import HASH, golden_hash
from benchmarks.integer_torch import IntegerDecoder
from equinfo.compress.network.integer import IntegerByteModel
from equinfo.compress.network.matmul import VNNI


def main() -> None:
    by_numba = golden_hash(
        lambda c, tensors, symbols: IntegerByteModel(c, tensors).sequences(symbols)
    )
    hashes = {f"Numba {numba.__version__}, {platform.machine()}, VNNI: {VNNI}": by_numba}
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        chip = torch.cuda.get_device_name() if device == "cuda" else platform.machine()

        def run(config: dict, tensors: dict, symbols: np.ndarray, on: str = device) -> np.ndarray:
            decoder = IntegerDecoder(IntegerByteModel(config, tensors), on)
            return decoder.frequencies(symbols).cpu().numpy()

        hashes[f"torch {torch.__version__}, {device}: {chip}"] = golden_hash(run)
    for name, value in hashes.items():
        print(f"{value}  {'as pinned' if value == HASH else 'DIFFERS'}  {name}")
    sys.exit(any(value != HASH for value in hashes.values()))


if __name__ == "__main__":
    main()
