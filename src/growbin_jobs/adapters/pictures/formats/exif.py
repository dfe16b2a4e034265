"""Reads the orientation from an EXIF block."""

import struct
from typing import Final

_ORIENTATION: Final = 0x0112
#: Types of whole numbers, and how one is packed (TIFF 6.0 §2). The standard says SHORT; programs write the others, too,
#: and most readers take them (Pillow, Exiv2, ExifTool), though browsers do not. UNDEFINED and text say nothing.
_NUMBERS: Final = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l"}
#: Bytes of an entry's own field; values that do not fit stand elsewhere, and the field says where.
_FIELD: Final = 4
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
                if kind not in _NUMBERS or not count:
                    continue
                number, place = order + _NUMBERS[kind], at + 8
                if count * struct.calcsize(number) > _FIELD:
                    (place,) = struct.unpack_from(f"{order}L", tiff, place)
                (value,) = struct.unpack_from(number, tiff, place)  # the first one, where there are several
                if 1 <= value <= 8:
                    return int(value)
    except struct.error:
        return None
    return None
