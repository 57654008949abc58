"""What a user chooses for a job: one set of options for the command line, the message and the manifest."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from schema.errors import ConfigurationError
from schema.formats import FORMATS, Format
from schema.kinematics import ANGLES, Angle
from schema.styles import CODECS, STYLES, Codec, Style

Quality = Literal["fast", "balanced", "best"]
Refine = Literal["off", "lightning", "thunder"]
Smooth = Literal["butterworth", "one-euro", "gaussian", "median", "off"]

#: What each preset sets; an option that is given beside a preset wins over it.
PRESETS: dict[str, dict[str, object]] = {
    "fast": {"input_size": 256, "extra_sizes": (), "max_people": 20, "refine": "off", "looks": 1},
    "balanced": {"input_size": 512, "extra_sizes": (256,), "max_people": 20, "refine": "thunder", "looks": 1},
    "best": {"input_size": 768, "extra_sizes": (512, 256), "max_people": 50, "refine": "thunder", "looks": 4},
}

_SIZES = "multiples of 32 from 128 to 768"
_MOST_TILES = 8
_MOST_CRF = 51
#: Work of one call beside the MultiPose trunk at 256 x 256 (1.9 GFLOP).
_WORK_OF_A_CROP = {"off": 0.0, "lightning": 0.25, "thunder": 1.1}
_PEOPLE_AS_A_RULE = 8


def _split(value: object) -> object:
    """Accept ``"256,512"`` as the command line gives it."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _size(value: int) -> int:
    if not 128 <= value <= 768 or value % 32:
        raise ValueError(_SIZES)
    return value


def _tiles(value: str) -> str:
    grid = re.fullmatch(r"([1-9])x([1-9])", value)
    if value not in ("off", "auto") and not (grid and max(map(int, grid.groups())) <= _MOST_TILES):
        raise ValueError("rows x columns")
    return value


class Options(BaseModel):
    """All options of a job. Every field is part of the job's identity, so presets are written out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quality: Annotated[Quality, Field(description="fast, balanced or best")] = "fast"
    """The preset that options come from which are not given."""
    input_size: Annotated[int, AfterValidator(_size), Field(description="a multiple of 32 from 128 to 768")] = 256
    """Longer side of the model's input in pixels."""
    extra_sizes: Annotated[
        tuple[Annotated[int, AfterValidator(_size)], ...],
        BeforeValidator(_split),
        Field(max_length=4, description=f"up to four {_SIZES}, separated by commas"),
    ] = ()
    """Further input sizes; what is found at any of them is merged by OKS."""
    max_people: Annotated[int, Field(ge=1, le=100, description="1 to 100")] = 20
    """Most people reported in one frame."""
    min_score: Annotated[float, Field(ge=0.0, le=1.0, description="0 to 1")] = 0.2
    """Poses with a lower person score take no part in tracks and are not drawn."""
    refine: Annotated[Refine, Field(description="off, lightning or thunder")] = "off"
    """Single-pose model that looks at a crop of every person; keypoints and score are taken from it."""
    looks: Annotated[int, Field(ge=1, le=4, description="1 to 4")] = 1
    """Crops of each person, of different sizes, every second one mirrored."""
    tiles: Annotated[str, AfterValidator(_tiles), Field(description="auto, off or ROWSxCOLUMNS, 1x1 to 8x8")] = "off"
    """Overlapping tiles of the picture that are looked at beside the whole of it."""
    smooth: Annotated[Smooth, Field(description="butterworth, one-euro, gaussian, median or off")] = "butterworth"
    """Zero-phase filter of the tracks' curves; ``tracks_raw.parquet`` keeps what was found."""
    cutoff_hz: Annotated[float, Field(ge=0.1, le=120.0, description="0.1 to 120")] = 6.0
    """Faster motion than this is taken for noise."""
    outliers: bool = True
    """Replace single samples that jump (Hampel)."""
    max_gap_s: Annotated[float, Field(ge=0.0, le=10.0, description="0 to 10 seconds")] = 0.5
    """Longest absence that is filled with interpolated rows."""
    link_gap_s: Annotated[float, Field(ge=0.0, le=60.0, description="0 to 60 seconds")] = 4.0
    """Longest absence after which somebody may get the same track id again."""
    min_track_s: Annotated[float, Field(ge=0.0, le=60.0, description="0 to 60 seconds")] = 0.2
    """Shorter tracks are left out, unless the video is hardly longer."""
    render: bool = True
    """Write the annotated video or pictures."""
    style: Annotated[
        tuple[Style, ...],
        BeforeValidator(_split),
        AfterValidator(_once),
        Field(min_length=1, description=", ".join(STYLES)),
    ] = ("overlay",)
    """How the annotated video looks: any of these together."""
    scale: Annotated[float, Field(ge=0.05, le=4.0, description="0.05 to 4")] = 1.0
    """Size of the annotated video beside the source."""
    codec: Annotated[Codec, Field(description=", ".join(CODECS))] = "h264"
    """Of the annotated video."""
    crf: Annotated[int | None, Field(ge=0, le=63, description="0 to 51, with av1 to 63")] = None
    """Constant rate factor: less is better and larger; none is 23, with hevc 26, with av1 35."""
    formats: Annotated[
        tuple[Format, ...], BeforeValidator(_split), AfterValidator(_once), Field(description=", ".join(FORMATS))
    ] = ()
    """Further files of tracks; pictures come with ``coco``, always and only."""
    kinematics: bool = False
    """Also joint angles and speeds, as tables and plots."""
    repetitions: Annotated[Angle | None, Field(description=", ".join(ANGLES))] = None
    """Angle whose repetitions are counted; comes with ``kinematics``."""

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = PRESETS.get(str(values.get("quality", "fast")), {})
        return {**preset, **values}

    @field_validator("crf")
    @classmethod
    def _of_codec(cls, crf: int | None, info: ValidationInfo) -> int | None:
        if crf is not None and crf > _MOST_CRF and info.data.get("codec") != "av1":
            raise ValueError("beyond the codec's range")
        return crf

    @classmethod
    def checked(cls, **values: object) -> Self:
        """Build options from a user's words; those that are None count as not given.

        Raises:
            ConfigurationError: names the option, the value and what is valid.
        """
        given = {name: value for name, value in values.items() if value is not None}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            valid = cls.model_fields[name].description if name in cls.model_fields else "there is no such option"
            raise ConfigurationError(f"{_flag(name)} {_said(given[name])}: {valid}") from error

    @property
    def sizes(self) -> tuple[int, ...]:
        """All input sizes, the first one first, each once."""
        return tuple(dict.fromkeys((self.input_size, *self.extra_sizes)))

    @property
    def work(self) -> float:
        """Work of one frame beside the defaults, roughly: what batches are cut by."""
        tiles = 1.0 if self.tiles == "off" else 1.0 + (4 if self.tiles == "auto" else _cells(self.tiles))
        people = min(self.max_people, _PEOPLE_AS_A_RULE)
        look = sum((size / 256) ** 2 for size in self.sizes) * tiles
        return look + people * self.looks * _WORK_OF_A_CROP[self.refine]


def _flag(name: str) -> str:
    """An option as it is called on the command line."""
    return "--format" if name == "formats" else f"--{name.removesuffix('_s').replace('_', '-')}"


def _said(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _cells(tiles: str) -> int:
    rows, columns = map(int, tiles.split("x"))
    return rows * columns
