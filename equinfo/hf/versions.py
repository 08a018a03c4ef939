"""The versions of transformers that were tested: classes of ours refuse to work with others."""

import re

import transformers

from equinfo.errors import EquinfoError

FIRST = (4, 57)
BELOW = (6, 0)


def check_transformers() -> None:
    """Raises EquinfoError where the transformers that is installed is outside the tested range."""
    found = re.match(r"(\d+)\.(\d+)", transformers.__version__)
    if found is None or not FIRST <= (int(found[1]), int(found[2])) < BELOW:
        raise EquinfoError(
            f"transformers {transformers.__version__} was not tested with this equinfo: "
            f"pip install 'transformers>={FIRST[0]}.{FIRST[1]},<{BELOW[0]}'"
        )
