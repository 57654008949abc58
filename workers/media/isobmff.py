"""Where the payload of an MP4 or MOV file lies, so that reading its index need not fetch it."""

import struct

from workers.storage.ranged import RangedFile

_PAYLOAD = b"mdat"
_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"uuid"})


def payload_ranges(file: RangedFile) -> list[tuple[int, int]]:
    """Byte ranges of the ``mdat`` boxes; empty for a file that is no MP4 or MOV."""
    found: list[tuple[int, int]] = []
    position = 0
    while position + 8 <= file.size:
        file.seek(position)
        header = file.read(8)
        size, kind = struct.unpack(">I4s", header)
        if position == 0 and kind not in _FIRST:
            return []
        body = 8
        if size == 1:
            size, body = struct.unpack(">Q", file.read(8))[0], 16
        elif size == 0:
            size = file.size - position
        if size < body:
            break
        if kind == _PAYLOAD:
            found.append((position + body, min(position + size, file.size)))
        position += size
    return found
