"""Peak memory of the loss and its gradients as the vocabulary grows: chunked, against torch's own.

    python -m benchmarks.loss_memory

torch's takes whole logits. Each case runs in a process of its own, on 4,096 positions of width 128;
the peak is what the process holds beyond its size just before.
"""

import resource
import subprocess
import sys

POSITIONS = 4096
WIDTH = 128
KINDS = ("chunked", "whole")


def case(kind: str, vocab: int) -> None:
    import torch
    from torch.nn import functional as F

    from equinfo.lm.loss import cross_entropy

    hidden = torch.randn(POSITIONS, WIDTH, requires_grad=True)
    weight = torch.randn(vocab, WIDTH, requires_grad=True)
    targets = torch.randint(vocab, (POSITIONS,))
    small, _ = cross_entropy(hidden[:8], weight[:8], targets[:8] % 8)
    small.backward()  # what the library itself needs
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if kind == "chunked":
        loss, _ = cross_entropy(hidden, weight, targets)
    else:
        loss = F.cross_entropy(hidden @ weight.T, targets, reduction="sum")
    loss.backward()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def measured(kind: str, vocab: int) -> float:
    command = [sys.executable, "-m", "benchmarks.loss_memory", kind, str(vocab)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    print(f"{'vocabulary':>10}  " + "  ".join(f"{kind + ', MB':>12}" for kind in KINDS))
    for vocab in (1 << 10, 1 << 12, 1 << 14, 1 << 16):
        print(f"{vocab:>10}  " + "  ".join(f"{measured(kind, vocab):12.0f}" for kind in KINDS))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        case(sys.argv[1], int(sys.argv[2]))
    else:
        main()
