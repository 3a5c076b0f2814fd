#!/usr/bin/env bash
# VDC: the squared error of vertices. Settings: see recipe.sh.
source "$(dirname "${BASH_SOURCE[0]}")/recipe.sh"
stage vdc 100 --loss.vdc 0.01 --loss.wpdc 0 --loss.points 0 "$@"
row vdc
