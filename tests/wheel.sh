#!/bin/bash
# The wheel as its users get it: built from the sdist, and tried outside this folder in fresh environments, one for each
# set of extras.
#   tests/wheel.sh [FOLDER]        by default a temporary folder, removed at the end
set -eu
unset PYTHONPATH
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
if [ $# = 0 ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
else
  mkdir -p "$1"
  folder=$(cd "$1" && pwd)
fi
fresh() {  # NAME REQUIREMENT...: an environment that holds just these
  "$python" -m venv --clear "$folder/$1"
  "$folder/$1/bin/python" -m pip install --quiet --disable-pip-version-check -c "$root/constraints.txt" "${@:2}"
}

fresh build build
rm -rf "$folder/dist"
(cd "$folder" && build/bin/python -m build --outdir dist "$root" > build.log) || { cat "$folder/build.log"; exit 1; }
wheel=$(echo "$folder"/dist/*.whl)
failed=0
"$python" -P "$root/tests/wheel_check.py" files "$root" "$wheel" "$folder"/dist/*.tar.gz || failed=1

export OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 HF_HOME=$folder/home
for extras in "" "[hf]" "[hf,lm,harness,playground]"; do
  case $extras in "") name=base ;; "[hf]") name=hf ;; *) name=all ;; esac
  begun=$SECONDS
  fresh $name "$wheel$extras"
  installed=$("$folder/$name/bin/python" -m pip list --disable-pip-version-check --format freeze 2> /dev/null | wc -l)
  echo "== equinfo$extras: $((SECONDS - begun)) s, $installed packages, $(du -sh "$folder/$name" | cut -f 1)"
  rm -rf "$folder/work" "$folder/home"
  mkdir "$folder/work"
  (cd "$folder/work" && "$folder/$name/bin/python" -P "$root/tests/wheel_check.py" $name) || failed=1
done
exit $failed
