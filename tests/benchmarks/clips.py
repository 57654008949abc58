"""Long clips for benchmarks."""

from pathlib import Path
from typing import Any

import av


def repeat(source: Path, target: Path, loops: int) -> int:
    """Write ``loops`` copies of a video one after the other, without encoding; how many frames."""
    count = 0
    with av.open(str(target), "w") as output:
        made: Any = None
        for loop in range(loops):
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                made = made or output.add_stream_from_template(stream)
                for packet in container.demux(stream):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        shift = loop * (stream.duration or 0)
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = made
                        output.mux(packet)
                        count += 1
    return count
