#!/usr/bin/env bash
# `tiny`: the strongest channels of `repnet_xs`, 15 M MACs, trained on; then with more turned faces. Settings: see
# recipe.sh, and
#
#   INIT     checkpoint to start from        (default training/repnet.pt)
#   SHARES   of the data sets, see --shares  (default: equal)
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
INIT="${INIT:-$(dirname "${BASH_SOURCE[0]}")/repnet.pt}"
SPREAD=()
if [[ -n "${SHARES:-}" ]]; then
  read -ra SPREAD <<<"$SHARES"
  SPREAD=(--shares "${SPREAD[@]}")
fi
COMMON=(--arch repnet_t --pooling learnt --weight-decay 0.03 --loss.wpdc 1 --loss.vdc 0.01 --loss.aperture 4 --loss.points 0.3
  --loss.units 0.15 --loss.asymmetry 0.1 --expressive 2 "${SPREAD[@]}")
stage tiny.1 70 --init "$INIT" --lr 2.5e-3 --warmup 100 --ema 300 --loss.landmark 3 --turned-share 0.08 "${COMMON[@]}" "$@"
stage tiny.2 30 --init "$RUNS/tiny.1/checkpoint.pt" --seed 1 --lr 1.8e-3 --warmup 60 --ema 200 --loss.landmark 4 --turned-share 0.12 \
  "${COMMON[@]}" "$@"
row tiny.2
