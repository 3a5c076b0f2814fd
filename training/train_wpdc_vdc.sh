#!/usr/bin/env bash
# WPDC, followed by VDC; both together use as many crops as each of the other recipes. Settings: see recipe.sh.
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
stage wpdc_vdc.1 70 --loss.wpdc 1 --loss.points 0 "$@"
stage wpdc_vdc 30 --init "$RUNS/wpdc_vdc.1/checkpoint.pt" --loss.vdc 0.01 --loss.wpdc 0 --loss.points 0 --lr 5e-4 "$@"
row wpdc_vdc
