#!/usr/bin/env bash
# The last stage of `default` as it was run: minutes on a GPU, from weights that were trained before, with many drawn faces. 40 % of
# the crops are drawn (`ddfa data render`), 34 % turned (`ddfa data profile`), 26 % photos. Settings: see recipe.sh, and
#
#   INIT     weights to start from            (default: training/default.pt)
#   ARCH     of the network                   (default: mobilenet_v1_050)
#   SHARES   of the data sets, see --shares   (default: equal ones)
#
# Crops are prepared by the processors; --reuse lets each serve in three steps, as a GPU is faster than they are.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 # or the workers' libraries start threads that wait for each other
SAMPLES="${SAMPLES:-5000000}"
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
SPREAD=()
if [[ -n "${SHARES:-}" ]]; then
  read -ra SPREAD <<<"$SHARES"
  SPREAD=(--shares "${SPREAD[@]}")
fi
stage gpu 100 --arch "${ARCH:-mobilenet_v1_050}" --init "${INIT:-training/default.pt}" --batch-size 512 --reuse 3 --lr 2.5e-3 --warmup 150 \
  --weight-decay 0.04 --ema 200 --loss.wpdc 1 --loss.vdc 0.01 --loss.landmark 3 --loss.aperture 4 --loss.points 0.3 --augment.wide-box 0.3 \
  --expressive 2 --turned-share 0.08 --held-out 0.01 "${SPREAD[@]}" "$@"
row gpu
