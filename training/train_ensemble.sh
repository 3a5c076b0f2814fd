#!/usr/bin/env bash
# An ensemble of a network of our own architecture, trained from scratch, and the network of `default`, both with test-time
# flip. Crops of 64 px, then 96, then 120. DATA should include synthetic faces from `ddfa data render`, about 15 % of the
# crops, which help most at large poses. Settings: see recipe.sh, and
#
#   BESIDE   bundle of the other network     (default: the shipped `default`)
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
BESIDE="${BESIDE:-default}"
COMMON=(--arch repnet_xs --loss.wpdc 1 --loss.vdc 0.01 --loss.landmark 3 --turned-share 0.08)
stage ensemble.1 40 --resolution 64 --lr 2.5e-3 --loss.aperture 2 --loss.points 0.5 --ema 60 "${COMMON[@]}" "$@"
stage ensemble.2 38 --resolution 96 --init "$RUNS/ensemble.1/checkpoint.pt" --lr 2e-3 --loss.aperture 3 --loss.points 0.4 --expressive 2 \
  --ema 100 "${COMMON[@]}" "$@"
stage ensemble.3 22 --init "$RUNS/ensemble.2/checkpoint.pt" --lr 1.5e-3 --warmup 60 --weight-decay 0.04 --loss.aperture 4 --loss.points 0.3 --expressive 2 \
  --ema 150 "${COMMON[@]}" "$@"
ddfa models convert "$BESIDE" --ensemble "$RUNS/ensemble.3/bundle" --flip-tta -o "$RUNS/ensemble" --name ensemble-flip
ddfa bench landmarks "$RUNS/ensemble.3/bundle" "$RUNS/ensemble" --data "$EVAL" --output "$RUNS/ensemble.result"
