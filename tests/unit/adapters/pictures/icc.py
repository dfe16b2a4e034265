"""Writes ICC profiles of all kinds, and computes by hand what their colours are in sRGB. Loaded by the fixture ``icc``.

The computation knows nothing of the converter under test: primaries and curves as the standards print them, Bradford's
adaptation, and the formulas of IEC 61966-2-1.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

D50: Vector = (0.9642, 1.0, 0.8249)
D65_XY, D50_XY = (0.3127, 0.3290), (0.3457, 0.3585)
BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


def times(matrix: Matrix, vector: Sequence[float]) -> Vector:
    """Matrix times vector."""
    one, two, three = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return one, two, three


def product(one: Matrix, other: Matrix) -> Matrix:
    """Matrix times matrix."""
    columns = [times(one, column) for column in zip(*other, strict=True)]
    first, second, third = zip(*columns, strict=True)
    return first, second, third


def inverse(matrix: Matrix) -> Matrix:
    """The inverse, by Cramer's rule."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    size = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return (
        ((e * i - f * h) / size, (c * h - b * i) / size, (b * f - c * e) / size),
        ((f * g - d * i) / size, (a * i - c * g) / size, (c * d - a * f) / size),
        ((d * h - e * g) / size, (b * g - a * h) / size, (a * e - b * d) / size),
    )


def to_d50(primaries: Sequence[tuple[float, float]], white: tuple[float, float]) -> Matrix:
    """Linear RGB to XYZ, adapted to D50 as a profile has it."""
    columns = [(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]
    first, second, third = zip(*columns, strict=True)
    ground: Vector = (white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1])
    scale = times(inverse((first, second, third)), ground)
    rows = [tuple(value * by for value, by in zip(row, scale, strict=True)) for row in (first, second, third)]
    seen, wanted = times(BRADFORD, ground), times(BRADFORD, D50)
    gain = [to / of for to, of in zip(wanted, seen, strict=True)]
    diagonal: Matrix = ((gain[0], 0, 0), (0, gain[1], 0), (0, 0, gain[2]))
    return product(product(inverse(BRADFORD), product(diagonal, BRADFORD)), tuple(rows))  # type: ignore[arg-type]


SRGB_XY = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SRGB = to_d50(SRGB_XY, D65_XY)


def srgb_decoded(value: float) -> float:
    """IEC 61966-2-1, 0–1 to linear."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def srgb_level(linear: float) -> int:
    """Linear to 0–255, clipped."""
    linear = min(max(linear, 0.0), 1.0)
    return round(255 * (linear * 12.92 if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055))


def srgb_of_xyz(xyz: Sequence[float]) -> tuple[int, ...]:
    """XYZ at D50 to sRGB levels."""
    return tuple(map(srgb_level, times(inverse(SRGB), xyz)))


@dataclass(frozen=True)
class Space:
    """A space of colours: primaries, white, and how numbers become light."""

    primaries: tuple[tuple[float, float], ...]
    white: tuple[float, float]
    decoded: Callable[[float], float]

    def in_srgb(self, colour: Sequence[int]) -> tuple[int, ...]:
        """What a colour of this space is in sRGB."""
        return srgb_of_xyz(times(to_d50(self.primaries, self.white), [self.decoded(level / 255) for level in colour]))


def power(gamma: float) -> Callable[[float], float]:
    """A curve that is a power."""
    return lambda value: value**gamma


P3_XY = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SPACES = {
    "srgb": Space(SRGB_XY, D65_XY, srgb_decoded),
    "display p3": Space(P3_XY, D65_XY, srgb_decoded),
    "p3 of a film projector": Space(P3_XY, (0.314, 0.351), power(2.6)),
    "adobe rgb": Space(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65_XY, power(563 / 256)),
    "prophoto": Space(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50_XY, power(1.8)),
    "rec. 2020": Space(((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65_XY, power(2.4)),
    "apple's old screens": Space(((0.625, 0.34), (0.28, 0.595), (0.155, 0.07)), D65_XY, power(1.8)),
}


# --- profiles


def number(value: float) -> bytes:
    """A fixed-point number of 16 bits and 16 bits."""
    return struct.pack(">l", round(value * 65_536))


def xyz(values: Sequence[float]) -> bytes:
    """A tag of one XYZ value."""
    return b"XYZ \0\0\0\0" + b"".join(map(number, values))


def table(decoded: Callable[[float], float], points: int = 1024) -> bytes:
    """A curve as a table."""
    values = [round(65_535 * decoded(at / (points - 1))) for at in range(points)]
    return b"curv\0\0\0\0" + struct.pack(f">L{points}H", points, *values)


def gamma(value: float) -> bytes:
    """A curve as a single gamma, 8 bits and 8 bits."""
    return b"curv\0\0\0\0" + struct.pack(">LH", 1, round(value * 256))


def parametric() -> bytes:
    """The curve of sRGB as its formula, as phones write it (ICC.1:2010 §10.16, function 3)."""
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(number, numbers))


def named(name: str) -> bytes:
    """A description as version 2 has it."""
    text = name.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">L", len(text)) + text + bytes(78)


def profile(
    tags: dict[bytes, bytes],
    *,
    space: bytes = b"RGB ",
    pcs: bytes = b"XYZ ",
    kind: bytes = b"mntr",
    padding: int = 0,
) -> bytes:
    """A profile of the given tags (ICC.1:2001-04 §6); ``padding`` bytes of a private tag make it large."""
    tags = tags | {b"wtpt": xyz(D50)} | ({b"zzzz": b"data\0\0\0\0" + bytes(padding)} if padding else {})
    listed, bodies, at = struct.pack(">L", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        listed += tag + struct.pack(">LL", at + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(">L4sL4s4s4s", at + len(bodies), bytes(4), 0x02400000, kind, space, pcs)
    head += bytes(12) + b"acsp" + bytes(28) + b"".join(map(number, D50)) + bytes(48)
    return head + listed + bodies


def of_space(space: Space, *, name: str | None = "test", curve: bytes | None = None, padding: int = 0) -> bytes:
    """A camera's profile: three primaries and a curve; with ``name=None`` without a name."""
    columns = zip(*to_d50(space.primaries, space.white), strict=True)
    tags = {tag: xyz(column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    curve = curve or table(space.decoded)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    if name is not None:
        tags[b"desc"] = named(name)
    return profile(tags, padding=padding)


def grey(decoded: Callable[[float], float], *, name: str | None = "Dot Gain", padding: int = 0) -> bytes:
    """A profile of grey: one curve."""
    tags = {b"kTRC": table(decoded)} | ({b"desc": named(name)} if name is not None else {})
    return profile(tags, space=b"GRAY", padding=padding)


#: What the corners of :func:`press` are in Lab, by (C, M, Y, K) of 0 or 1. Paper has 100 and black 0, so that no
#: converter adapts them.
CORNERS = {
    (c, m, y, k): (
        max(0.0, 100 - 40 * c - 47 * m - 6 * y - 100 * k),
        (1 - k) * (-37 * c + 75 * m - 5 * y) * 0.6,
        (1 - k) * (-50 * c - 6 * m + 93 * y) * 0.6,
    )
    for c in (0, 1)
    for m in (0, 1)
    for y in (0, 1)
    for k in (0, 1)
}


def lab_16(lab: Sequence[float]) -> tuple[int, int, int]:
    """Lab as version 2 writes it in 16 bits (ICC.1:2001-04 annex A)."""
    lightness, a, b = lab
    return round(lightness * 652.8), round((a + 128) * 256), round((b + 128) * 256)


def press(*, padding: int = 0) -> bytes:
    """A profile of a printing press: a table of 2⁴ corners in Lab, linear between them."""
    corners = b"".join(struct.pack(">3H", *lab_16(lab)) for _, lab in sorted(CORNERS.items()))
    identity = b"".join(map(number, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    ramp = struct.pack(">HH", 0, 65_535)
    lut = b"mft2\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + struct.pack(">HH", 2, 2) + ramp * 4 + corners + ramp * 3
    return profile({b"A2B0": lut, b"desc": named("press")}, space=b"CMYK", pcs=b"Lab ", kind=b"prtr", padding=padding)


def srgb_of_lab(lab: Sequence[float]) -> tuple[int, ...]:
    """Lab at D50 to sRGB levels (CIE 15)."""
    fy = (lab[0] + 16) / 116
    parts = (fy + lab[1] / 500, fy, fy - lab[2] / 200)
    return srgb_of_xyz(
        [
            white * (f**3 if f > 6 / 29 else 3 * (6 / 29) ** 2 * (f - 4 / 29))
            for f, white in zip(parts, D50, strict=True)
        ]
    )


def split(data: bytes, size: int) -> list[bytes]:
    """The bodies of the JPEG segments that a profile is split over."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [b"ICC_PROFILE\0" + bytes((at + 1, len(pieces))) + piece for at, piece in enumerate(pieces)]
