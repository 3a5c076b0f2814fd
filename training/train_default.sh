#!/usr/bin/env bash
# Our recipe: parameters and landmarks first, on small, low-cost crops; then vertices, apertures of eyes and mouth, and
# landmarks at full resolution. Settings: see recipe.sh.
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
stage default.1 30 --resolution 64 --loss.wpdc 1 --loss.landmark 2 --loss.points 0.5 "$@"
stage default.2 30 --resolution 96 --init "$RUNS/default.1/checkpoint.pt" --lr 1.5e-3 \
  --loss.wpdc 1 --loss.landmark 2 --loss.aperture 2 --loss.points 0.5 "$@"
stage default 40 --init "$RUNS/default.2/checkpoint.pt" --lr 1.2e-3 \
  --loss.wpdc 1 --loss.vdc 0.01 --loss.landmark 3 --loss.aperture 4 --loss.points 0.3 --expressive 2 "$@"
row default
