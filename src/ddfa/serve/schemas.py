"""What the service takes and gives, for its documentation and for callers' code."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ddfa.export.kinds import FACE_KINDS

Numbers = list[float]
_DOT = (  # a grey pixel as PNG, as an example
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
            description="The picture's file in base64: JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF.",
            json_schema_extra={"contentEncoding": "base64"},
        ),
    ]
    parts: Annotated[
        list[str],
        Field(
            description="Files to add to every face, see docs/outputs.md.",
            json_schema_extra={"items": {"type": "string", "enum": list(FACE_KINDS)}},
        ),
    ] = []
    max_faces: Annotated[int, Field(ge=1, description="Answer the largest so many faces only.")] = 50
    refine: Annotated[bool, Field(description="Regress twice: more accurate, slower.")] = False


class AlignForm(BaseModel):
    """The body of `POST /v1/align` as a form."""

    image: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]
    parts: Annotated[str, Field(description="Separated by commas.")] = ""
    max_faces: Annotated[int, Field(ge=1)] = 50
    refine: bool = False


class ReplaceForm(BaseModel):
    """The body of `POST /v1/replace`."""

    source: Annotated[bytes, Field(json_schema_extra={"format": "binary"}, description="The photo that lends a face.")]
    target: Annotated[bytes, Field(json_schema_extra={"format": "binary"}, description="The photo that gets it.")]
    shape: Annotated[str, Field(description="Whose head shape: source, target or blend.")] = "blend"
    face: Annotated[str, Field(description="Face of the target, 0 is the largest; or all.")] = "0"
    label: Annotated[bool, Field(description='Write "SYNTHETIC FACE" into the picture.')] = False


class Size(BaseModel):
    """Of a picture, px."""

    width: int
    height: int


class Model(BaseModel):
    """The bundle that aligned the faces."""

    name: str
    sha256: str
    head: str


class Angles(BaseModel):
    """Degrees, 300W-LP convention."""

    yaw: float
    pitch: float
    roll: float


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
    rotation: list[Numbers]
    scale: float
    translation: Numbers
    landmarks68: list[Numbers]
    params: dict[str, Any]
    blendshapes: dict[str, float] | None
    visibility68: list[bool]
    depth_range: Numbers
    files: dict[str, File]


class AlignAnswer(BaseModel):
    """The faces of a photo, largest first; none is an answer too."""

    image: Size
    model: Model
    milliseconds: float
    faces: list[Face]


class ErrorText(BaseModel):
    """What is wrong: a word for programs, a sentence for people."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """Any answer that is not a success."""

    error: ErrorText


class ModelCard(BaseModel):
    """A bundle at hand."""

    name: str
    default: bool
    architecture: str
    head: str
    licence: str
    input_size: int
    parameters: int


class Models(BaseModel):
    """The bundles at hand; the service runs the default one."""

    models: list[ModelCard]


class Health(BaseModel):
    """Whether the service lives, or is ready."""

    status: str
