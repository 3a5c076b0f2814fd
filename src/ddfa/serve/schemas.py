"""Request and response schemas, for validation and the OpenAPI description."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ddfa.export.kinds import FACE_KINDS
from ddfa.serve.settings import MAX_FACES

Numbers = list[float]
_DOT = (  # example: a grey pixel as PNG
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVQIHWNoAAAAggCB8KrjIgAAAABJRU5ErkJggg=="
)


class AlignRequest(BaseModel):
    """The body of `POST /v1/align` as JSON."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"image": _DOT, "parts": ["glb", "texture"], "max_faces": 5}]},
    )

    image: Annotated[
        str,
        Field(
            description="The image file in base64: JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF; HEIC with the extra `heic`.",
            json_schema_extra={"contentEncoding": "base64"},
        ),
    ]
    parts: Annotated[
        list[str],
        Field(
            description="Kinds of files to add to every face, see docs/outputs.md.",
            json_schema_extra={"items": {"type": "string", "enum": list(FACE_KINDS)}},
        ),
    ] = []
    max_faces: Annotated[int, Field(ge=1, description="Maximum number of faces in the answer, largest first.")] = (
        MAX_FACES
    )
    refine: Annotated[bool, Field(description="Regress twice: slower, more accurate.")] = False


class AlignForm(BaseModel):
    """The body of `POST /v1/align` as a form."""

    image: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]
    parts: Annotated[str, Field(description="Separated by commas.")] = ""
    max_faces: Annotated[int, Field(ge=1)] = MAX_FACES
    refine: bool = False


class ReplaceForm(BaseModel):
    """The body of `POST /v1/replace`."""

    source: Annotated[
        list[Annotated[bytes, Field(json_schema_extra={"format": "binary"})]],
        Field(min_length=1, max_length=8, description="Photos of the source persons."),
    ]
    target: Annotated[
        bytes, Field(json_schema_extra={"format": "binary"}, description="Photo in which faces are replaced.")
    ]
    shape: Annotated[
        str, Field(description="Head shape: source, target, blend, or the share of the source's, 0 to 1.")
    ] = "blend"
    face: Annotated[
        list[str | Annotated[bytes, Field(json_schema_extra={"format": "binary"})]],
        Field(
            description="For each source, or for all, whom it replaces: index of the face in the target, 0 is the "
            "largest; a photo of the person; or all, everybody whom no other source replaces."
        ),
    ] = ["0"]
    min_quality: Annotated[float, Field(ge=0, le=1, description="Refuse if a worse result is expected, 0 to 1.")] = 0
    label: Annotated[bool, Field(description='Draw "SYNTHETIC FACE" into the image.')] = False


class Size(BaseModel):
    """Size of an image, px."""

    width: int
    height: int


class Model(BaseModel):
    """The bundle that aligned the faces."""

    name: str
    sha256: str
    head: str


class Angles(BaseModel):
    """Euler angles in degrees, 300W-LP convention."""

    yaw: float
    pitch: float
    roll: float


class Directions(BaseModel):
    """Where the face points and how it is rolled, in degrees; readable for profiles, see docs/conventions.md."""

    turn: float
    nod: float
    tilt: float


class File(BaseModel):
    """A file of a face."""

    name: str
    type: str
    data: Annotated[str, Field(description="base64")]


class Face(BaseModel):
    """One face; image px with pixel centres at integers, x right, y down, z towards the viewer."""

    box: Numbers
    score: float
    roi: Numbers
    euler_deg: Angles
    turn_nod_tilt_deg: Directions
    rotation: list[Numbers]
    rotation_vector: Numbers
    quaternion: Numbers
    camera: dict[str, Any] | None
    scale: float
    translation: Numbers
    landmarks68: list[Numbers]
    params: dict[str, Any]
    blendshapes: dict[str, float] | None
    visibility68: list[bool]
    quality: float | None
    landmark_std: Numbers | None
    landmark_occlusion: Numbers | None
    depth_range: Numbers
    files: dict[str, File]


class AlignAnswer(BaseModel):
    """The faces of a photo, largest first; the list may be empty."""

    image: Size
    model: Model
    milliseconds: float
    faces: list[Face]


class ErrorText(BaseModel):
    """An error: a code for programs, a sentence for people."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """The body of every error answer."""

    error: ErrorText


class ModelCard(BaseModel):
    """An installed bundle."""

    name: str
    default: bool
    architecture: str
    head: str
    licence: str
    input_size: int
    parameters: int


class Models(BaseModel):
    """The installed bundles; the service uses the default one."""

    models: list[ModelCard]


class Health(BaseModel):
    """Liveness or readiness of the service."""

    status: str
