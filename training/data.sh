#!/usr/bin/env bash
# From photos of faces to the data sets that the recipes train on: pseudo-labels, and pose-augmented images of the same
# faces.
#
#   PHOTOS    folders or uncompressed tar files of photos, separated by spaces (required)
#   TEACHERS  bundles of `ddfa models import-3ddfa`, separated by spaces (required)
#   MESH      a face_landmarker.task for eyelids, gaze and lips                           (default: none)
#   POINTS    ONNX networks for 68 or 98 points, separated by spaces                      (default: none)
#   CENTRED   for face crops: the RoI is the central square with this share of the width  (default: faces are detected)
#   TURNED    pose-augmented images to make for each of PHOTOS                            (default 10000)
#   OUT       folder of the data sets                                                     (default data)
#
# Prints the value of DATA for the recipes. An interrupted script resumes when it is started again.
set -euo pipefail

: "${PHOTOS:?name folders or tar files of photos: PHOTOS=\"a.tar b\" $0}"
: "${TEACHERS:?name the teacher bundles: TEACHERS=\"v2-mb1 v2-mb05\" $0}"
TURNED="${TURNED:-10000}" OUT="${OUT:-data}"
read -ra PHOTOS <<<"$PHOTOS"
read -ra TEACHERS <<<"$TEACHERS"

OPTIONS=()
if [[ -n "${MESH:-}" ]]; then OPTIONS+=(--mesh-teacher "$MESH"); fi
if [[ -n "${POINTS:-}" ]]; then
  read -ra POINTS <<<"$POINTS"
  OPTIONS+=(--points-teacher "${POINTS[@]}")
fi
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
