#!/usr/bin/env bash
# From photos of faces to the data sets that the recipes train on: labels, and pictures of the same faces turned.
#
#   PHOTOS    folders or uncompressed tars of photos, separated by spaces (required)
#   TEACHERS  bundles of `ddfa models import-3ddfa`, separated by spaces (required)
#   MESH      a face_landmarker.task: eyelids, gaze and lips                              (default: none)
#   CENTRED   for face crops: the RoI is the centred square of this share of the width    (default: faces are detected)
#   TURNED    turned pictures to make of each of PHOTOS                                   (default 10000)
#   OUT       where the data sets go                                                      (default data)
#
# It prints the DATA to give to the recipes. A script that was stopped goes on where it was.
set -euo pipefail

: "${PHOTOS:?name folders or tars of photos: PHOTOS=\"a.tar b\" $0}"
: "${TEACHERS:?name bundles to learn from: TEACHERS=\"v2-mb1 v2-mb05\" $0}"
TURNED="${TURNED:-10000}" OUT="${OUT:-data}"
read -ra PHOTOS <<<"$PHOTOS"
read -ra TEACHERS <<<"$TEACHERS"

OPTIONS=()
if [[ -n "${MESH:-}" ]]; then OPTIONS+=(--mesh-teacher "$MESH"); fi
if [[ -n "${CENTRED:-}" ]]; then OPTIONS+=(--centred "$CENTRED"); fi

SETS=()
for photos in "${PHOTOS[@]}"; do
  name="$(basename "${photos%.tar}")"
  real="$OUT/$name" turned="$OUT/$name.turned"
  if [[ ! -f "$real/manifest.json" ]]; then
    ddfa data label --photos "$photos" --teacher "${TEACHERS[@]}" "${OPTIONS[@]}" --output "$real"
  fi
  if [[ ! -f "$turned/manifest.json" ]]; then
    ddfa data profile --data "$real" --teacher "${TEACHERS[@]}" --count "$TURNED" --output "$turned"
  fi
  SETS+=("$real" "$turned")
done
echo "DATA=\"${SETS[*]}\""
