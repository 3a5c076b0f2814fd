# Functions and settings of all recipes, which source this file.
#
#   DATA     data set folders, separated by spaces (required); training/data.sh makes them
#   EVAL     annotated photos for the evaluation, an .npz or a folder (required)
#   SAMPLES  crops in total; use the same number to compare recipes                      (default 2000000)
#   RUNS     folder of the run folders                                                   (default runs)
#   SHARES   of the data sets, see --shares of `ddfa train`                                (default: equal)
#   DDFA     command that starts ddfa, e.g. "torchrun --nproc-per-node 4 -m ddfa.cli"     (default ddfa)
#
# Options of a recipe are passed to every `ddfa train` it starts, e.g. `--arch mobilenet_v1_100 --workers 8`.
# An interrupted recipe resumes when it is started again.
set -euo pipefail

: "${DATA:?name the data set folders: DATA=\"data/real data/turned\" $0}"
: "${EVAL:?name annotated photos for the evaluation: EVAL=aflw2000.npz $0}"
SAMPLES="${SAMPLES:-2000000}" RUNS="${RUNS:-runs}"
read -ra DDFA <<<"${DDFA:-ddfa}"
read -ra DATA <<<"$DATA"

SPREAD=()
if [[ -n "${SHARES:-}" ]]; then
  read -ra SPREAD <<<"$SHARES"
  SPREAD=(--shares "${SPREAD[@]}")
fi

# A GPU needs more workers to prepare crops, and is faster in half precision.
MACHINE=()
if nvidia-smi -L >/dev/null 2>&1; then
  MACHINE=(--precision bfloat16 --workers "$(($(nproc) - 1))")
fi

# stage NAME PERCENT OPTIONS...: one `ddfa train` with a percentage of the samples.
stage() {
  local name="$1" samples=$((SAMPLES * $2 / 100)) resume=()
  shift 2
  if [[ -d "$RUNS/$name/bundle" ]]; then return; fi
  if [[ -f "$RUNS/$name/checkpoint.pt" ]]; then resume=(--resume); fi
  "${DDFA[@]}" train --data "${DATA[@]}" --output "$RUNS/$name" --name "$name" --samples "$samples" \
    "${SPREAD[@]}" "${MACHINE[@]}" "$@" "${resume[@]}"
}

# row NAME: evaluates a run and plots its curves.
row() {
  ddfa bench curves "$RUNS/$1" --output "$RUNS/$1/curves.png"
  ddfa bench landmarks "$RUNS/$1/bundle" --data "$EVAL" --output "$RUNS/$1/result"
}
