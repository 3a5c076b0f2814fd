#!/usr/bin/env bash
# WPDC: the squared error of whitened parameters, weighted by the displacement that each of them causes. Settings: see recipe.sh.
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
stage wpdc 100 --loss.wpdc 1 --loss.points 0 "$@"
row wpdc
