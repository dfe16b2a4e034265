"""Seeded generator of hostile picture files. Tests load it through the fixture ``hostile``.

Each :class:`Sample` names the refusal that it must meet; ``None`` means that it must be taken, ``ANY`` that either will
do (random damage may hit nothing that matters).
"""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

ANY = "any"

#: 6000×6000 in one colour with alpha, lossless: the dearest picture that is still taken.
WORST_WEBP = bytes.fromhex("5249464620000000574542505650384c140000002f6fd7db15075081540820000a9a8ec58888fe07")


@dataclass(frozen=True)
class Sample:
    """A file and the code of its refusal."""

    name: str
    data: bytes
    code: str | None


# --- honest pictures


def scene(width: int = 96, height: int = 64, mode: str = "RGB") -> Image.Image:
    """A picture whose corners differ, so that every turn and flip of it is another picture."""
    image = Image.new("RGB", (width, height), (235, 235, 225))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2, height // 3), fill=(200, 30, 30))
    draw.rectangle((width * 2 // 3, 0, width, height // 2), fill=(30, 60, 200))
    draw.ellipse((width // 8, height // 2, width // 2, height - 4), fill=(20, 150, 60))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# --- pieces of files


def segment(marker: int, body: bytes) -> bytes:
    """One JPEG segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments put behind its start marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, rows: bytes = b"", extra: bytes = b"") -> bytes:
    """A PNG that claims a size; ``rows`` are its raw lines."""
    header = struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of the given chunks."""
    body = b"".join(name + struct.pack("<L", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<L", len(body) + 4) + b"WEBP" + body


def tiff(orientation: int, *, order: str = "<", gps: bool = True) -> bytes:
    """An EXIF block with an orientation and a place."""
    begin = b"II*\0" if order == "<" else b"MM\0*"
    entries = [struct.pack(f"{order}HHLHH", 0x0112, 3, 1, orientation, 0)]
    if gps:
        entries.append(struct.pack(f"{order}HHLL", 0x8825, 4, 1, 8 + 2 + 12 * 2 + 4))
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + struct.pack(f"{order}L", 0)
    place = struct.pack(f"{order}H", 1) + struct.pack(f"{order}HHL", 1, 2, 2) + b"N\0\0\0" + struct.pack(f"{order}L", 0)
    return begin + struct.pack(f"{order}L", 8) + directory + place


def exif_segment(orientation: int, **options: object) -> bytes:
    """The same as a JPEG segment."""
    return segment(0xE1, b"Exif\0\0" + tiff(orientation, **options))  # type: ignore[arg-type]


def turned(orientation: int) -> bytes:
    """The scene, stored so that the given orientation makes it upright."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = scene() if orientation not in undo else scene().transpose(undo[orientation])
    return with_segments(encoded(image, quality=95), exif_segment(orientation))


# --- hostile ones


def bombs() -> Iterator[Sample]:
    """Small files that ask for a lot. All must be refused or taken without paying for it."""
    plain = encoded(scene())
    yield Sample("png 1x134217728", png(1, 1 << 27), "picture_too_small")
    yield Sample("png 30000x30000", png(30_000, 30_000), "picture_too_many_pixels")
    yield Sample("png 2^31-1 squared", png(0x7FFFFFFF, 0x7FFFFFFF), "picture_too_many_pixels")
    yield Sample("png long and narrow", png(16, 1_000_000), "picture_too_narrow")
    small = struct.pack(">LLBBBBB", 64, 64, 8, 2, 0, 0, 0)
    yield Sample("png with two headers", png(30_000, 30_000, extra=chunk(b"IHDR", small)), "picture_truncated")
    first_small = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", small) + png(30_000, 30_000)[8:]
    yield Sample("png with a second, huge header", first_small, "picture_truncated")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9))
    rows = (b"\0" + bytes(64 * 3)) * 64
    yield Sample("png text of 50 MB", png(64, 64, rows=rows, extra=text * 20), None)
    profile = chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(50_000_000), 9))
    yield Sample("png profile of 50 MB", png(64, 64, rows=rows, extra=profile), None)
    yield Sample(
        "png in a million chunks",
        png(64, 64, rows=rows, extra=chunk(b"teSt", b"") * 1_000_000),
        "picture_too_many_parts",
    )
    yield Sample(
        "webp canvas 16383x10000",
        riff((b"VP8X", bytes(4) + struct.pack("<L", 16382)[:3] + struct.pack("<L", 9999)[:3])),
        "picture_too_many_pixels",
    )
    yield Sample(
        "webp lossless 16384x16384",
        riff((b"VP8L", b"\x2f" + struct.pack("<L", 0x3FFF | 0x3FFF << 14) + bytes(20))),
        "picture_too_many_pixels",
    )
    yield Sample(
        "webp lossy 16383x16383",
        riff((b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383) + bytes(20))),
        "picture_too_many_pixels",
    )
    yield Sample("jpeg 65500x65500", resized_jpeg(plain, 65_500, 65_500), "picture_too_many_pixels")
    yield Sample(
        "progressive jpeg 10000x10000",
        resized_jpeg(encoded(scene(), progressive=True), 10_000, 10_000),
        "picture_too_many_pixels",
    )
    one_scan = first_scan_only(encoded(scene(), progressive=True))
    yield Sample(
        "progressive jpeg in one scan 10000x10000", resized_jpeg(one_scan, 10_000, 10_000), "picture_too_many_pixels"
    )
    yield Sample("jpeg of a scan for each colour", separate_scans((10_000, 10_000)), "picture_too_many_pixels")
    yield Sample("jpeg with the scan of one colour", separate_scans((10_000, 10_000), 1), "picture_too_many_pixels")
    yield Sample("jpeg of 2000 scans", scan_bomb(2000), "picture_too_many_scans")
    yield Sample("jpeg of 21 scans", scan_bomb(21), "picture_too_many_scans")
    yield Sample(
        "jpeg of a million segments", with_segments(plain, segment(0xFE, b"") * 1_000_000), "picture_too_many_parts"
    )
    # Pillow joins EXIF segments one by one: quadratic, minutes for this file.
    pieces = segment(0xE1, b"Exif\0\0" + bytes(1200)) * 19_000
    yield Sample("jpeg with exif in 19000 pieces", with_segments(plain, pieces), None)
    entries = b"".join(struct.pack("<HHLL", tag, 7, 65_000, 8) for tag in range(1, 5000))
    directory = b"II*\0" + struct.pack("<LH", 8, 4999) + entries
    yield Sample(
        "jpeg with a greedy exif directory", with_segments(plain, segment(0xE1, b"Exif\0\0" + directory)), None
    )
    yield Sample("jpeg with a greedy mpf directory", with_segments(plain, segment(0xE2, b"MPF\0" + directory)), None)
    restarts = with_segments(resized_jpeg(plain, 65_500, 65_500), segment(0xDD, b"\0\1"))
    yield Sample("jpeg that wants 67 million restarts", restarts, "picture_too_many_pixels")
    yield Sample("26 MB of nothing", plain + bytes(26_000_000), "picture_too_many_bytes")


def resized_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size."""
    at = next(position for marker in (b"\xff\xc0", b"\xff\xc2") if (position := jpeg.find(marker)) > 0)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def first_scan_only(jpeg: bytes) -> bytes:
    """A progressive JPEG that ends after its first scan."""
    second = jpeg.index(b"\xff\xda", jpeg.index(b"\xff\xda") + 2)
    return jpeg[: jpeg.rindex(b"\xff\xc4", 0, second)] + b"\xff\xd9"


def separate_scans(size: tuple[int, int], scans: int = 3) -> bytes:
    """A baseline JPEG of three colours, of which each has a scan of its own; it claims a size, and holds 64×64."""
    grey = encoded(Image.new("L", (64, 64), 120), "JPEG")
    frame, scan = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    after = frame + 2 + int.from_bytes(grey[frame + 2 : frame + 4], "big")
    colours = b"".join(bytes((number, 0x11, 0)) for number in (1, 2, 3))
    header = segment(0xC0, struct.pack(">BHHB", 8, size[1], size[0], 3) + colours)
    bodies = (segment(0xDA, bytes((1, number, 0, 0, 63, 0))) + grey[scan + 10 : -2] for number in range(1, scans + 1))
    return grey[:frame] + header + grey[after:scan] + b"".join(bodies) + b"\xff\xd9"


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    jpeg = encoded(scene(), progressive=True)
    last = jpeg.rfind(b"\xff\xda")
    present = jpeg.count(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * (scans - present) + jpeg[-2:]


def foreign() -> Iterator[Sample]:
    """Files that are no picture we take, whatever they are called."""
    for kind in ("TGA", "PPM", "ICO", "PCX", "EPS", "PDF"):
        yield Sample(kind.lower(), encoded(scene(), kind), "picture_not_an_image")
    for kind in ("GIF", "TIFF", "BMP", "AVIF", "JPEG2000"):
        yield Sample(kind.lower(), encoded(scene(), kind), "picture_of_another_kind")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.jpg", encoded(scene()))
    yield Sample("zip", archive.getvalue(), "picture_not_an_image")
    for name, data in {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><script>1</script></svg>',
        "html": b"<!doctype html><script>alert(1)</script>",
        "html that begins like a jpeg": b"\xff\xd8<script>alert(1)</script>",
        "elf": b"\x7fELF\2\1\1" + bytes(100),
        "a text that begins like a bmp": b"BMW is no picture." + bytes(20),
        "mp4": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100),
        "text": "사진이 아닙니다".encode(),
        "zeros": bytes(1000),
        "one byte": b"\xff",
        "riff but wave": b"RIFF\x24\0\0\0WAVEfmt " + bytes(24),
    }.items():
        yield Sample(name, data, "picture_not_an_image")
    for name, data in {
        "psd": b"8BPS\0\1" + bytes(100),
        "gif of two bytes more": b"GIF89a" + bytes(2),
        "jpeg xl": b"\xff\x0a" + bytes(20),
        "jpeg xl in boxes": b"\0\0\0\x0cJXL \r\n\x87\n",
        "cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
        "raf": b"FUJIFILMCCD-RAW 0201" + bytes(20),
    }.items():
        yield Sample(name, data, "picture_of_another_kind")
    yield Sample("empty", b"", "picture_truncated")
    plain = encoded(scene())
    for name, frame in {
        "12 bits, baseline": b"\xc0\0\x11\x0c",
        "12 bits, extended": b"\xc1\0\x11\x0c",
        "12 bits, progressive": b"\xc2\0\x11\x0c",
        "lossless": b"\xc3\0\x11\x08",
        "lossless, 16 bits": b"\xc3\0\x11\x10",
        "hierarchical": b"\xc5\0\x11\x08",
        "arithmetic": b"\xc9\0\x11\x08",
        "arithmetic, progressive": b"\xca\0\x11\x08",
    }.items():
        other = plain.replace(b"\xff\xc0\0\x11\x08", b"\xff" + frame, 1)
        yield Sample(f"jpeg of another kind: {name}", other, "picture_of_another_kind")


def broken() -> Iterator[Sample]:
    """Files of the right kind that do not hold what they promise."""
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = encoded(scene(), kind)
        for share in (0.1, 0.3, 0.5, 0.9, 0.99):
            yield Sample(f"{kind} cut at {share:.0%}", whole[: int(len(whole) * share)], "picture_truncated")
    progressive = encoded(scene(400, 300), progressive=True)
    yield Sample("progressive jpeg, half", progressive[: len(progressive) // 2], "picture_truncated")
    plain = encoded(scene())
    yield Sample("jpeg start only", b"\xff\xd8\xff", "picture_truncated")
    yield Sample("jpeg without a frame", b"\xff\xd8" + plain[plain.find(b"\xff\xda") :], "picture_truncated")
    yield Sample("jpeg without a scan", plain[: plain.find(b"\xff\xda")] + b"\xff\xd9", "picture_truncated")
    yield Sample("jpeg segment past the end", b"\xff\xd8\xff\xe1\xff\xff" + bytes(50), "picture_truncated")
    yield Sample("jpeg segment shorter than its length field", b"\xff\xd8\xff\xe1\0\1" + bytes(50), "picture_truncated")
    yield Sample("jpeg 0 high", resized_jpeg(plain, 96, 0), "picture_too_small")
    yield Sample("png without rows", png(64, 64), "picture_truncated")
    yield Sample("png of an unknown kind", png(64, 64, colour=5, rows=bytes(9999)), "picture_truncated")
    yield Sample(
        "png with a wrong checksum",
        encoded(scene(), "PNG")[:29] + bytes(4) + encoded(scene(), "PNG")[33:],
        "picture_truncated",
    )
    yield Sample("webp without a picture", riff((b"VP8X", bytes(4) + b"\x3f\0\0\x3f\0\0")), "picture_truncated")
    yield Sample("heic of nothing", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "picture_truncated")
    yield Sample("too small", encoded(scene(15, 40)), "picture_too_small")
    yield Sample("too narrow", encoded(scene(16, 400)), "picture_too_narrow")


def odd() -> Iterator[Sample]:
    """Files that look strange and are fine."""
    plain = encoded(scene())
    for orientation in (*range(10), 255, 65_535):
        yield Sample(f"exif orientation {orientation}", with_segments(plain, exif_segment(orientation)), None)
    yield Sample("exif, big-endian", with_segments(plain, exif_segment(6, order=">")), None)
    yield Sample(
        "garbage exif", with_segments(plain, segment(0xE1, b"Exif\0\0" + random.Random(1).randbytes(600))), None
    )
    yield Sample(
        "exif that points nowhere", with_segments(plain, segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")), None
    )
    yield Sample(
        "garbage profile",
        with_segments(plain, segment(0xE2, b"ICC_PROFILE\0\1\1" + random.Random(2).randbytes(600))),
        None,
    )
    yield Sample(
        "garbage png profile", png(64, 64, rows=(b"\0" + bytes(192)) * 64, extra=chunk(b"iCCP", b"x\0\0garbage")), None
    )
    yield Sample("jpeg that is a zip too", plain + b"PK\x05\x06" + bytes(18), None)
    yield Sample("jpeg that is html too", with_segments(plain, segment(0xFE, b"<script>alert(1)</script>")), None)
    # A phone's motion photo: a film behind the picture, with everything in it by chance, scan markers too.
    yield Sample("motion photo", plain + random.Random(3).randbytes(3_000_000) + b"\xff\xda" * 100, None)
    buffer = io.BytesIO()
    scene().save(buffer, "MPO", save_all=True, append_images=[scene(80, 80)])
    yield Sample("mpo", buffer.getvalue(), None)
    yield Sample("progressive", encoded(scene(300, 200), progressive=True), None)
    for mode in ("L", "CMYK"):
        yield Sample(f"jpeg {mode}", encoded(scene(mode=mode)), None)
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        image = scene(mode="L").convert("I").convert(mode) if mode == "I;16" else scene(mode=mode)
        yield Sample(f"png {mode}", encoded(image, "PNG"), None)
    yield Sample("png palette with transparency", encoded(scene(mode="P"), "PNG", transparency=3), None)
    yield Sample("png colour key", encoded(scene(), "PNG", transparency=(200, 30, 30)), None)
    frames = {"save_all": True, "append_images": [scene(96, 64).rotate(90)], "duration": 50}
    yield Sample("png animation", encoded(scene(), "PNG", **frames), None)
    yield Sample("webp animation", encoded(scene(), "WEBP", **frames), None)
    yield Sample("webp lossless", encoded(scene(), "WEBP", lossless=True), None)
    yield Sample("webp with alpha", encoded(scene(mode="RGBA"), "WEBP"), None)


def flipped(seed: int, count: int) -> Iterator[Sample]:
    """Honest files with a few random bits turned over, and pieces of them put together."""
    chance = random.Random(seed)
    honest = [
        encoded(scene()),
        encoded(scene(200, 150), progressive=True),
        encoded(scene(), "PNG"),
        encoded(scene(mode="P"), "PNG"),
        encoded(scene(), "WEBP"),
        encoded(scene(mode="RGBA"), "WEBP", lossless=True),
        turned(6),
    ]
    for number in range(count):
        data = bytearray(chance.choice(honest))
        for _ in range(chance.choice((1, 2, 8, 40))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.2:
            other = chance.choice(honest)
            data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]
        yield Sample(f"flipped {seed}/{number}", bytes(data), ANY)


def corpus(seed: int = 20_260_101, flips: int = 400) -> Iterator[Sample]:
    """Everything above."""
    yield from bombs()
    yield from foreign()
    yield from broken()
    yield from odd()
    yield from flipped(seed, flips)
