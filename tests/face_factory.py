"""Faces with known pose and position, without a network."""

import numpy as np

from ddfa.face_model import FaceModel
from ddfa.faces import Faces
from ddfa.geometry.pose import compose, matrix_from_euler
from ddfa.head.model import HeadModel
from ddfa.regress.convention import PixelConvention
from ddfa.regress.layout import ParamLayout


def place_faces(head: HeadModel, euler_deg=((0.0, 0.0, 0.0),), image_size=(320, 240), side=160.0) -> Faces:
    """The mean face, once per (yaw, pitch, roll), side by side; its RoI has the given side in px."""
    n = len(euler_deg)
    height = float(np.ptp(head.mean[:, 1]))
    translation = np.tile([60.0, 60.0, 0.0], (n, 1))
    pose = compose(np.full(n, 90 / height), matrix_from_euler(np.array(euler_deg)), translation)
    identities, expressions = len(head.identity_std), len(head.expression_names)
    layout = ParamLayout(identities, expressions)
    params = layout.join(pose, np.zeros((n, identities)), np.zeros((n, expressions)))
    left = 0.4 + np.arange(n) * side
    roi = np.stack([left, np.full(n, 10.7), left + side, np.full(n, 10.7 + side)], axis=1).astype(np.float32)
    return Faces(roi, np.full(n, 0.9), params, roi, FaceModel(head, layout, PixelConvention.OPEN), image_size)
