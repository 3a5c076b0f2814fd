#!/usr/bin/env bash
# Improves given weights: several runs from the same weights with different seeds, averaged with them (`default`), and the
# same with test-time flip (`default-flip`). Settings: see recipe.sh, and
#
#   INIT     checkpoint to start from        (default training/default.pt)
#   SEEDS    one run per seed                (default "11 12")
#
# SAMPLES is the number per run. The learning rate stays high, because averaging gains from runs that differ.
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
INIT="${INIT:-$(dirname "${BASH_SOURCE[0]}")/default.pt}" SEEDS="${SEEDS:-11 12}"
TRAINED=()
for seed in $SEEDS; do
  stage "average.$seed" 100 --init "$INIT" --seed "$seed" --lr 1.2e-3 --warmup 100 --weight-decay 0.05 --ema 300 \
    --loss.wpdc 1 --loss.vdc 0.01 --loss.landmark 3 --loss.aperture 4 --loss.points 0.3 --expressive 2 \
    "$@"
  TRAINED+=("$RUNS/average.$seed")
done
ddfa average "${TRAINED[@]}" --also "$INIT" --output "$RUNS/average" --name default
ddfa models convert "$RUNS/average/bundle" --flip-tta -o "$RUNS/average/default-flip"
ddfa bench landmarks "$RUNS/average/bundle" "$RUNS/average/default-flip" --data "$EVAL" --output "$RUNS/average/result"
