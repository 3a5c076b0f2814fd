#!/usr/bin/env bash
# `tiny`: the strongest channels of `repnet_xs`, 15 M MACs, trained further. Settings: see recipe.sh, and
#
#   INIT     checkpoint to start from        (default training/repnet.pt)
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
INIT="${INIT:-$(dirname "${BASH_SOURCE[0]}")/repnet.pt}"
stage tiny 100 --arch repnet_t --pooling learnt --init "$INIT" --lr 2.5e-3 --warmup 100 --weight-decay 0.03 --ema 300 \
  --loss.wpdc 1 --loss.vdc 0.01 --loss.landmark 3 --loss.aperture 4 --loss.points 0.3 --loss.units 0.15 --loss.asymmetry 0.1 \
  --expressive 2 --turned-share 0.08 "$@"
row tiny
