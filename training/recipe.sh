# What the recipes share; sourced by them.
#
#   DATA     data set folders, separated by spaces (required); training/data.sh makes them
#   EVAL     annotated photos for the result row, an .npz or a folder (required)
#   SAMPLES  crops to see in all; one number for all recipes makes them comparable       (default 2000000)
#   RUNS     where the run folders go                                                    (default runs)
#   DDFA     how to start ddfa, e.g. "torchrun --nproc-per-node 4 -m ddfa.cli"           (default ddfa)
#
# Options given to a recipe go to every `ddfa train` it starts, e.g. `--arch mobilenet_v1_100 --workers 8`.
# A recipe that was stopped goes on where it was.
set -euo pipefail

: "${DATA:?name the data set folders: DATA=\"data/real data/turned\" $0}"
: "${EVAL:?name annotated photos to measure on: EVAL=aflw2000.npz $0}"
SAMPLES="${SAMPLES:-2000000}" RUNS="${RUNS:-runs}"
read -ra DDFA <<<"${DDFA:-ddfa}"
read -ra DATA <<<"$DATA"

# A GPU is fast enough that it needs more hands to feed it, and gains from half precision.
MACHINE=()
if nvidia-smi -L >/dev/null 2>&1; then
  MACHINE=(--precision bfloat16 --workers "$(($(nproc) - 1))")
fi

# stage NAME PERCENT OPTIONS...: one `ddfa train` with a share of the samples.
stage() {
  local name="$1" samples=$((SAMPLES * $2 / 100)) resume=()
  shift 2
  if [[ -d "$RUNS/$name/bundle" ]]; then return; fi
  if [[ -f "$RUNS/$name/checkpoint.pt" ]]; then resume=(--resume); fi
  "${DDFA[@]}" train --data "${DATA[@]}" --output "$RUNS/$name" --name "$name" --samples "$samples" \
    "${MACHINE[@]}" "$@" "${resume[@]}"
}

# row NAME: the result row of a run, and its curves.
row() {
  ddfa bench curves "$RUNS/$1" --output "$RUNS/$1/curves.png"
  ddfa bench landmarks "$RUNS/$1/bundle" --data "$EVAL" --output "$RUNS/$1/result"
}
