"""Reads the orientation from an EXIF block."""

import struct
from typing import Final

_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}

#: Entries of the first directory that are looked at; cameras write about 15.
_MAX_ENTRIES: Final = 256


def orientation(block: bytes) -> int:
    """Return the EXIF orientation, 1–8; 1 where it is missing or nonsense.

    Parameters:
      block: A TIFF structure, with or without the ``Exif`` prefix. Format: EXIF 2.32 (CIPA DC-008) §4.5, TIFF 6.0 §2.
    """
    tiff = block.removeprefix(b"Exif\0\0")
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}L", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(min(entries, _MAX_ENTRIES)):
            tag, kind, count, value = struct.unpack_from(f"{order}HHLH", tiff, directory + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if (kind, count) == (_SHORT, 1) and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
