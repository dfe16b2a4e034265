"""How a picture is turned: by the first block that says it, wherever programs write it, whatever the bytes are."""

import io
import struct
import zlib
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat
from tests.whole import examples

from growbin_jobs.adapters.pictures import prepare
from growbin_jobs.adapters.pictures.formats import exif, jpeg, png, pngtext, upright, webp, xmp

UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
TIFF = 'xmlns:{0}="http://ns.adobe.com/tiff/1.0/"'


def packet(orientation: object, *, prefix: str = "tiff", element: bool = False, before: str = "") -> bytes:
    """An XMP packet; the orientation is an attribute, or an element."""
    said = f"<{prefix}:Orientation>{orientation}</{prefix}:Orientation>" if element else ""
    attribute = "" if element else f'{prefix}:Orientation="{orientation}"'
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {RDF}>{before}<rdf:Description rdf:about="" {TIFF.format(prefix)} {attribute}>{said}'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def raw_profile(content: bytes, kind: bytes = b"exif") -> bytes:
    """What ImageMagick writes into the text of a PNG."""
    digits = content.hex().encode()
    rows = b"\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return b"\n" + kind + b"\n%8d\n" % len(content) + rows + b"\n"


# --- which block decides


def of_jpeg(hostile: ModuleType, *segments: bytes) -> int:
    return int(jpeg.read(hostile.with_segments(hostile.encoded(hostile.scene()), *segments)).orientation)


def no_orientation(hostile: ModuleType) -> bytes:
    other = hostile.tiff(6).replace(struct.pack("<HHL", 0x0112, 3, 1), struct.pack("<HHL", 0x0128, 3, 1))
    return bytes(hostile.segment(0xE1, b"Exif\0\0" + other))


def test_the_first_exif_block_that_says_1_to_8_decides(hostile: ModuleType) -> None:
    silent, wrong = no_orientation(hostile), hostile.exif_segment(9)
    six, three, one = (hostile.exif_segment(value) for value in (6, 3, 1))
    assert of_jpeg(hostile, six, silent) == 6
    assert of_jpeg(hostile, silent, six) == 6
    assert of_jpeg(hostile, wrong, six, three) == 6
    assert of_jpeg(hostile, one, six) == 1
    assert of_jpeg(hostile, silent, wrong) == 1
    entries = b"".join(struct.pack("<HHLHH", 0x0112, 3, 1, value, 0) for value in (0, 6))
    twice = b"II*\0" + struct.pack("<LH", 8, 2) + entries + bytes(4)
    assert of_jpeg(hostile, hostile.segment(0xE1, b"Exif\0\0" + twice)) == 6
    for prefix in (b"Exif\0\xff", b"Exif\0\0Exif\0\0"):  # a filler of any value; twice
        assert of_jpeg(hostile, hostile.segment(0xE1, prefix + hostile.tiff(6))) == 6


def test_exif_goes_before_xmp_and_xmp_counts_where_exif_is_silent(hostile: ModuleType) -> None:
    three = hostile.segment(0xE1, XMP_NAME + packet(3))
    assert of_jpeg(hostile, three) == 3
    assert of_jpeg(hostile, three, hostile.exif_segment(6)) == 6
    assert of_jpeg(hostile, three, hostile.exif_segment(1)) == 1
    assert of_jpeg(hostile, no_orientation(hostile), three) == 3
    assert of_jpeg(hostile, hostile.exif_segment(0), hostile.segment(0xE1, XMP_NAME + packet(0)), three) == 3


@pytest.mark.parametrize("cut", [4, 9, 14, 20])
def test_exif_that_is_split_over_segments_is_put_together(hostile: ModuleType, cut: int) -> None:
    block = hostile.tiff(6)
    pieces = [hostile.segment(0xE1, b"Exif\0\0" + piece) for piece in (block[:cut], block[cut:25], block[25:])]
    assert of_jpeg(hostile, *pieces) == 6
    assert of_jpeg(hostile, hostile.exif_segment(9), *pieces, hostile.exif_segment(3)) == 6


def png_with(hostile: ModuleType, *chunks: bytes, picture: Image.Image | None = None) -> bytes:
    plain = hostile.encoded(picture or hostile.scene(), "PNG")
    return bytes(plain[:33] + b"".join(chunks) + plain[33:])


def test_all_places_of_a_png(hostile: ModuleType) -> None:
    chunk, six = hostile.chunk, b"Exif\0\0" + hostile.tiff(6)
    text, packed = raw_profile(six), zlib.compress(raw_profile(six, b"APP1"))
    places = {
        "eXIf": chunk(b"eXIf", hostile.tiff(6)),
        "tEXt": chunk(b"tEXt", b"Raw profile type exif\0" + text),
        "zTXt": chunk(b"zTXt", b"Raw profile type APP1\0\0" + packed),
        "zTXt, XMP": chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(raw_profile(packet(6), b"xmp"))),
        "zTXt, XMP in APP1": chunk(
            b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(raw_profile(XMP_NAME + packet(6)))
        ),
        "iTXt": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet(6)),
        "iTXt, packed": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0xmp\0" + zlib.compress(packet(6))),
    }
    assert {name: png.read(png_with(hostile, place)).orientation for name, place in places.items()} == dict.fromkeys(
        places, 6
    )
    plain = hostile.encoded(hostile.scene(), "PNG")  # behind the pixels, where some programs put it
    assert png.read(plain[:-12] + places["iTXt"] + plain[-12:]).orientation == 6
    # The standard's own chunk goes before texts, EXIF before XMP.
    texts = places["iTXt"], chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(hostile.tiff(8)))
    assert png.read(png_with(hostile, *texts)).orientation == 8
    assert png.read(png_with(hostile, *texts, chunk(b"eXIf", hostile.tiff(3)))).orientation == 3
    assert png.read(png_with(hostile, *texts, chunk(b"eXIf", hostile.tiff(0)))).orientation == 8


def test_xmp_of_a_webp(hostile: ModuleType) -> None:
    assert webp.read(hostile.encoded(hostile.scene(), "WEBP", xmp=packet(6))).orientation == 6
    both = hostile.encoded(hostile.scene(), "WEBP", xmp=packet(6), exif=b"Exif\0\0" + hostile.tiff(3))
    assert webp.read(both).orientation == 3


# --- the way of a whole picture


@pytest.mark.parametrize("orientation", range(2, 9))
def test_pictures_come_out_upright(hostile: ModuleType, orientation: int) -> None:
    stored = hostile.scene().transpose(UNDO[orientation])
    said = packet(orientation)
    block = b"Exif\0\0" + hostile.tiff(orientation)
    jpeg_of_it = hostile.encoded(stored, quality=95)
    files = {
        "JPEG, XMP": hostile.with_segments(jpeg_of_it, hostile.segment(0xE1, XMP_NAME + said)),
        "JPEG, second block": hostile.with_segments(jpeg_of_it, hostile.segment(0xE1, block), no_orientation(hostile)),
        "PNG": png_with(
            hostile, hostile.chunk(b"tEXt", b"Raw profile type exif\0" + raw_profile(block)), picture=stored
        ),
        "WebP": hostile.encoded(stored, "WEBP", quality=95, xmp=said),
        "HEIC": heic_of(stored, block),
    }
    for name, data in files.items():
        upright_picture = Image.open(io.BytesIO(prepare(data, quality=95).original))
        assert upright_picture.size == hostile.scene().size, name
        assert max(ImageStat.Stat(ImageChops.difference(upright_picture, hostile.scene())).mean) < 6, name


def heic_of(picture: Image.Image, exif: bytes) -> bytes:
    """A HEIC in which pillow-heif has made ``irot`` and ``imir`` of the orientation."""
    from pillow_heif import from_pillow

    buffer = io.BytesIO()
    from_pillow(picture).save(buffer, quality=95, exif=exif)
    return buffer.getvalue()


def test_exif_turns_no_heic(hostile: ModuleType) -> None:
    """Only ``irot`` and ``imir`` do (ISO/IEC 23008-12); libheif obeys them, so EXIF would turn it twice."""
    upright_one = heic_of(hostile.scene(), b"Exif\0\0" + hostile.tiff(1))
    one, six = (struct.pack("<HHLHH", 0x0112, 3, 1, value, 0) for value in (1, 6))
    assert one in upright_one
    data = upright_one.replace(one, six)
    assert prepare(data) == prepare(upright_one)


# --- EXIF


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_read_in_both_byte_orders(hostile: ModuleType, order: str) -> None:
    for value in range(1, 9):
        assert exif.orientation(hostile.tiff(value, order=order)) == value
        assert exif.orientation(b"Exif\0\0" + hostile.tiff(value, order=order)) == value
        short = struct.pack(f"{order}HHLHH", 0x0112, 3, 1, value, 0)
        for kind, packed in ((1, "B"), (3, "H"), (4, "L"), (6, "b"), (8, "h"), (9, "l")):
            for count in (1, 2, 3):
                values = struct.pack(order + packed, value) + struct.pack(order + packed, 9) * (count - 1)
                whole = hostile.tiff(value, order=order)
                field = values.ljust(4, b"\0") if len(values) <= 4 else struct.pack(f"{order}L", len(whole))
                other = struct.pack(f"{order}HHL", 0x0112, kind, count) + field
                assert exif.orientation(whole.replace(short, other) + values) == value, (kind, count)


def test_an_exif_block_that_is_unreadable_or_nonsense_says_nothing(hostile: ModuleType) -> None:
    whole = hostile.tiff(6)
    endless = b"II*\0" + struct.pack("<LH", 8, 65_535) + struct.pack("<HHLL", 1, 3, 1, 6) * 65_535
    wrong = [(2, 1), (7, 1), (12, 1), (3, 0), (3, 2**32 - 1)]  # types, and counts
    blocks = [b"", b"II", whole[:12], b"XX*\0" + whole[4:], b"II*\0\xff\xff\xff\xff", endless]
    blocks += [whole.replace(struct.pack("<HHL", 0x0112, 3, 1), struct.pack("<HHL", 0x0112, *each)) for each in wrong]
    blocks += [hostile.tiff(value) for value in (0, 9, 255, 65_535)]
    assert [exif.orientation(block) for block in blocks] == [None] * len(blocks)


# --- XMP


def test_xmp_in_all_its_spellings() -> None:
    for value in range(1, 9):
        assert xmp.orientation(packet(value)) == value
        assert xmp.orientation(packet(value, element=True)) == value
        assert xmp.orientation(packet(f" {value}\n", element=True, prefix="t")) == value
    assert xmp.orientation(packet(6).replace(b'"6"', b"'6'") + bytes(2000)) == 6
    assert xmp.orientation(packet(6).decode().encode("utf-16")) == 6
    assert xmp.orientation(packet(6)[:-40]) == 6  # cut behind it
    assert xmp.orientation(b'\r\n <?xml version="1.0"?>' + packet(6)) == 6


def test_xmp_that_says_nothing_of_this_picture() -> None:
    made_of = '<rdf:Description xmlns:a="urn:a"><a:b><rdf:Description xmlns:t="http://ns.adobe.com/tiff/1.0/" '
    made_of += 't:Orientation="3"/></a:b></rdf:Description>'
    assert xmp.orientation(packet(6, before=made_of)) == 6
    assert xmp.orientation(packet(6, before='<!-- tiff:Orientation="3" -->')) == 6
    foreign = packet(6).replace(b"http://ns.adobe.com/tiff/1.0/", b"urn:other")
    for none in (b"", b"\0", b"<", foreign, packet(6)[40:], *(packet(value) for value in (0, 9, "", "x", "66", "６"))):
        assert xmp.orientation(none) is None, none


def test_xmp_entities_are_not_expanded() -> None:
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "6">{laughs}]>'.encode() + packet("&e11;", element=True).partition(b"?>")[2]
    assert xmp.orientation(bomb) is None


# --- hostile bytes: an answer, never an error, and never much work

PIECES = st.sampled_from(
    [
        *(packet(value, element=element) for value in (1, 6, 9) for element in (True, False)),
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",
        b"Raw profile type exif\0",
        b"XML:com.adobe.xmp\0\1\0\0\0",
        b"\nexif\n 12\n49492a00",
        zlib.compress(bytes(100_000)),
        b"<?xml version='1.0' encoding='utf-7'?><a>",
        b"<?xml version='1.0' encoding='rot13'?><a>",
        b'<?xml version="1.0" encoding="euc-kr"?><a>\xb0\xa1',
        b"<a xmlns:b='' b:c='d'>",
    ]
)
HOSTILE = st.lists(PIECES | st.binary(max_size=60), max_size=6).map(b"".join)


@settings(max_examples=examples(150), deadline=None)
@given(pieces=st.lists(st.tuples(st.sampled_from(["exif", "xmp", "tEXt", "zTXt", "iTXt"]), HOSTILE), max_size=8))
@example(pieces=[("xmp", b"<?xml version='1.0' encoding='idna'?><a>")])
def test_any_bytes_give_an_orientation(pieces: list[tuple[str, bytes]]) -> None:
    blocks, texts = upright.Blocks(), pngtext.Texts()
    take: dict[str, Callable[[bytes], None]] = {"exif": blocks.add_exif, "xmp": blocks.add_xmp}
    for kind, content in pieces:
        if kind in take:
            take[kind](content)
        else:
            texts.add(kind.encode(), content)
    texts.hand_over(blocks)
    assert blocks.orientation() in range(1, 9)


def test_what_is_read_is_bounded(hostile: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many large blocks cost no more than a few: counted in bytes that the parsers are given."""
    given_bytes = []

    def counted(read: Callable[[bytes], int | None]) -> Callable[[bytes], int | None]:
        return lambda block: given_bytes.append(len(block)) or read(block)

    monkeypatch.setattr(exif, "orientation", counted(exif.orientation))
    monkeypatch.setattr(xmp, "orientation", counted(xmp.orientation))
    bomb = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 1\n" + b"4d4d002a" + b"00" * 20_000_000, 9)
    packets = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"<a>" * 10_000_000, 9)
    data = png_with(hostile, *([hostile.chunk(b"zTXt", bomb)] * 300), *([hostile.chunk(b"iTXt", packets)] * 300))
    assert png.read(data).orientation == 1
    assert len(given_bytes) < 20
    assert sum(given_bytes) < 3_000_000
    pieces = [
        hostile.segment(0xE1, b"Exif\0\0" + (b"MM\0*" if n % 9 == 0 else b"") + bytes(1200)) for n in range(19_000)
    ]
    assert of_jpeg(hostile, *pieces) == 1
    assert len(given_bytes) < 100
