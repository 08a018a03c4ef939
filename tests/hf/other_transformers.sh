#!/bin/bash
# tests/hf against another transformers, in a virtual environment of its own:
#   tests/hf/other_transformers.sh [VERSION] [FOLDER]        by default 4.57.6, in runs/transformers-VERSION
set -eu
version=${1:-4.57.6}
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${2:-$root/runs/transformers-$version}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
test -x "$folder/bin/python" || "${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -c "$root/constraints.txt" \
  "transformers==$version" -e "$root[lm,hf]" "accelerate>=1.1" "pytest>=8" "hypothesis>=6.100"
cd "$root"
"$folder/bin/python" -c "import transformers; print('transformers', transformers.__version__)"
OMP_NUM_THREADS=1 "$folder/bin/python" -m pytest -p no:cacheprovider -rs tests/hf
