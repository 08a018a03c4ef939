"""One thread a process, as pytest runs one process a core; also in those that tests start."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
