"""Notices a training that is lost before it has burnt its budget."""

import math
from collections import deque

LEARNT = 0.1  # nats a token below uniform that count as having learnt something


class Watch:
    """Follows a training's losses (nats a token).

    "diverged": the loss is no longer a number. "collapsed": the mean of the last steps has lost
    more than half of what had been learnt, as the paper's runs with windows of 64 bits and more did
    when they fell back to uniform (D.1). A stream that cannot be learnt is no collapse: nothing was
    learnt to lose.
    """

    def __init__(self, vocab_size: int, steps: int) -> None:
        self.uniform = math.log(vocab_size)
        self.recent: deque[float] = deque(maxlen=max(10, min(50, steps // 10)))
        self.best = math.inf

    def see(self, loss: float) -> str | None:
        """Take a step's loss; "diverged", "collapsed", or None while all is well."""
        if not math.isfinite(loss):
            return "diverged"
        self.recent.append(loss)
        if len(self.recent) < (self.recent.maxlen or 0):
            return None
        mean = sum(self.recent) / len(self.recent)
        self.best = min(self.best, mean)
        learnt = self.uniform - self.best
        return "collapsed" if learnt > LEARNT and mean - self.best > learnt / 2 else None
