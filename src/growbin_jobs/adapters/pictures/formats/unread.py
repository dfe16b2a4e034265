"""Names the formats of pictures that are not accepted, so that a person learns what to do with theirs."""

from typing import Final

#: How files begin. Raw pictures of most cameras, DNG among them, are TIFF.
_BEGINNINGS: Final = {
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF/RAW",
    b"MM\0*": "TIFF/RAW",
    b"II+\0": "TIFF/RAW",
    b"MM\0+": "TIFF/RAW",
    b"IIRO": "RAW",
    b"IIRS": "RAW",
    b"IIU\0": "RAW",
    b"FUJIFILMCCD-RAW": "RAW",
    b"II\xbc": "JPEG XR",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS\0\1": "PSD",
}
#: Brands of the file type box (ISO/IEC 14496-12 §4.3): AVIF, Canon's raw pictures, films of HEVC pictures.
_BRANDS: Final = {b"avif": "AVIF", b"avis": "AVIF", b"crx ": "RAW", b"hevc": "HEIC", b"hevx": "HEIC"}
#: Sizes of the header behind a BMP's own, by which it is told from a text that begins with these two letters.
_BMP_HEADERS: Final = frozenset({12, 40, 52, 56, 64, 108, 124})


def format_of(data: bytes) -> str | None:
    """Return what people call the format of a file that is a picture, though none of ours; else None."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12])
    if data[:2] == b"BM":
        return "BMP" if int.from_bytes(data[14:18], "little") in _BMP_HEADERS else None
    return next((name for beginning, name in _BEGINNINGS.items() if data.startswith(beginning)), None)
