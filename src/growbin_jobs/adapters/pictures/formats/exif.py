"""Reads the orientation from an EXIF block."""

import struct
from typing import Final

_ORIENTATION: Final = 0x0112
#: Whole numbers of one value, and how it is packed in the field of four bytes (TIFF 6.0 §2).
_NUMBERS: Final = {1: "B", 3: "H", 4: "L"}
_BYTE_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}

#: Entries of the first directory that are looked at; cameras write about 15.
_MAX_ENTRIES: Final = 256


def without_prefix(block: bytes) -> bytes:
    """Return a block without its ``Exif`` prefix, which some programs put twice; its last byte is a filler."""
    while block.startswith(b"Exif\0"):
        block = block[6:]
    return block


def begins(block: bytes) -> bool:
    """Return True where a block, without the ``Exif`` prefix, begins a TIFF structure and does not continue one."""
    return block[:4] in _BYTE_ORDERS


def orientation(block: bytes) -> int | None:
    """Return the EXIF orientation, 1–8; None where it is missing or nonsense.

    Parameters:
      block: A TIFF structure, with or without the ``Exif`` prefix. Format: EXIF 2.32 (CIPA DC-008) §4.5, TIFF 6.0 §2.
    """
    tiff = without_prefix(block)
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return None
    try:
        (directory,) = struct.unpack_from(f"{order}L", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(min(entries, _MAX_ENTRIES)):
            at = directory + 2 + 12 * entry
            tag, kind, count = struct.unpack_from(f"{order}HHL", tiff, at)
            if tag == _ORIENTATION:
                if kind not in _NUMBERS or count != 1:
                    continue
                (value,) = struct.unpack_from(order + _NUMBERS[kind], tiff, at + 8)
                if 1 <= value <= 8:
                    return int(value)
    except struct.error:
        return None
    return None
