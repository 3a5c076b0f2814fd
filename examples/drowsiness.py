"""Driver monitoring: how long the eyes of a person in a video are shut, as PERCLOS per minute.

PERCLOS is the share of time in which the eyes are at least 80 % closed (Wierwille et al., 1994). The blendshape
eyeBlink is 0 for open and 1 for shut eyes; the threshold below was not calibrated for medical or safety use.

Usage: python examples/drowsiness.py clip.mp4
"""

import argparse

import numpy as np

import ddfa
from ddfa.video.io.frames import open_video
from ddfa.video.tracking.tracker import FaceTracker

SHUT = 0.6  # eyeBlink of both eyes
AWAY_DEG = 40.0  # turned farther away, the eyes are not judged


def main() -> None:
    """Track the largest face and print one line per minute."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video")
    options = parser.parse_args()
    tracker = FaceTracker(ddfa.FaceAligner(max_faces=1))
    minutes: dict[int, list[float]] = {}
    for frame, faces in tracker.follow(open_video(options.video)):
        for face in faces:
            turn = abs(face.faces.turn_nod_tilt_deg[0, 0])
            blink = face.faces.blendshapes_by_name
            both = np.minimum(blink["eyeBlinkLeft"], blink["eyeBlinkRight"])[0]
            if turn < AWAY_DEG:
                minutes.setdefault(int(frame.time // 60), []).append(float(both))
    for minute, values in minutes.items():
        shut = np.mean(np.array(values) > SHUT)
        print(f"minute {minute}: PERCLOS {100 * shut:.1f} % of {len(values)} frames")


if __name__ == "__main__":
    main()
