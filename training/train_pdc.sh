#!/usr/bin/env bash
# PDC: the squared error of whitened parameters. Settings: see recipe.sh.
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
stage pdc 100 --loss.pdc 1 --loss.wpdc 0 --loss.points 0 "$@"
row pdc
