#!/usr/bin/env bash
# The last stage of `default`: minutes on a GPU, from trained weights, with many synthetic faces. 40 % of the crops are
# synthetic (`ddfa data render`), 34 % pose-augmented (`ddfa data profile`), 26 % photos. Settings: see recipe.sh, and
#
#   INIT     initial weights                  (default: training/default.pt)
#   ARCH     of the network                   (default: mobilenet_v1_050)
#
# Crops are prepared by the CPUs; --reuse uses each in three steps, because the GPU is faster.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 # otherwise the workers' libraries start threads that slow each other down
SAMPLES="${SAMPLES:-5000000}"
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
stage gpu 100 --arch "${ARCH:-mobilenet_v1_050}" --init "${INIT:-training/default.pt}" --batch-size 512 --reuse 3 --lr 2.5e-3 --warmup 150 \
  --weight-decay 0.04 --ema 200 --loss.wpdc 1 --loss.vdc 0.01 --loss.landmark 3 --loss.aperture 4 --loss.points 0.3 --augment.wide-box 0.3 \
  --expressive 2 --turned-share 0.08 --held-out 0.01 "$@"
row gpu
