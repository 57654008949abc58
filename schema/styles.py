"""How an annotated video looks: any of these together; and how it is encoded."""

from typing import Literal, get_args

Style = Literal[
    "overlay", "black", "side-by-side", "boxes", "trails", "angles", "heatmap", "blur-faces", "pixelate-people"
]
STYLES: tuple[str, ...] = get_args(Style)

Codec = Literal["h264", "hevc", "av1"]
CODECS: tuple[str, ...] = get_args(Codec)
