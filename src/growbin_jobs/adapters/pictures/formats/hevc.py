"""Reads from HEVC streams what decides how much memory a decoder takes: the coded size, and the number of pictures.

Source: ITU-T H.265 §7.3.1.2 (header of a unit), §7.3.2.2 (sequence parameter set), §7.3.3 (profile, tier and level);
ISO/IEC 14496-15 §8.3.3.1 (configuration record).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from growbin_jobs.adapters.pictures.formats import count_part, damaged

_SPS: Final = 33
#: Types below this one are slices of pictures.
_FIRST_OTHER: Final = 32
_MAX_SPS: Final = 512  # bytes that are looked at; the size stands within the first 120
_RECORD: Final = 23
#: Zeros in a row that no unit has before its end: from the third one on a byte is put between them (§7.4.2.1). Some
#: behind it may be padding.
_HOLE: Final = bytes(16)
_PADDING: Final = 4096
_EMULATION: Final = re.compile(rb"\0\0\x03")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration record: how long the units' length fields are, and the sizes that it declares."""

    length_size: int
    sizes: tuple[tuple[int, int], ...]


class _Bits:
    """Takes numbers off the front of some bytes; past the end everything is refused."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise damaged()
        return self._value >> self._left & (1 << count) - 1

    def exp_golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise damaged()
        return (1 << zeros) - 1 + self.take(zeros)


def configuration(record: bytes) -> Configuration:
    """Read a configuration record. Raises PictureRefused where it is damaged."""
    if len(record) < _RECORD:
        raise damaged()
    sizes, at = [], _RECORD
    for _ in range(record[22]):
        count = int.from_bytes(record[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            length = int.from_bytes(record[at : at + 2], "big")
            unit = record[at + 2 : at + 2 + length]
            if length < 2 or len(unit) < length:
                raise damaged()
            if unit[0] >> 1 & 0x3F == _SPS:
                sizes.append(coded_size(unit))
            at += 2 + length
    return Configuration((record[21] & 3) + 1, tuple(sizes))


def coded_size(unit: bytes) -> tuple[int, int]:
    """Return width and height in pixels of a sequence parameter set."""
    bits = _Bits(_EMULATION.sub(b"\0\0", unit[:_MAX_SPS]))
    bits.take(16 + 4)
    sub_layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.take(2 * (8 - sub_layers))
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.exp_golomb()
    if bits.exp_golomb() == 3:
        bits.take(1)
    return bits.exp_golomb(), bits.exp_golomb()


def sizes_of_still(stream: bytes, length_size: int) -> Iterator[tuple[int, int]]:
    """Yield the sizes that a stream declares itself.

    Raises:
      PictureRefused: Damaged, with a hole that a decoder fills, or more than one picture: it keeps several whole ones.
    """
    at, parts, pictures = 0, 0, 0
    while at < len(stream):
        parts = count_part(parts)
        begin = at + length_size
        at = begin + int.from_bytes(stream[at:begin], "big")
        if at > len(stream) or at < begin + 2:
            raise damaged()
        kind = stream[begin] >> 1 & 0x3F
        if kind < _FIRST_OTHER and _has_hole(stream[begin:at]):
            raise damaged()
        if kind == _SPS:
            yield coded_size(stream[begin : min(at, begin + _MAX_SPS)])
        elif kind < _FIRST_OTHER and at > begin + 2 and stream[begin + 2] & 0x80:
            pictures += 1
            if pictures > 1:
                raise damaged()


def _has_hole(unit: bytes) -> bool:
    """Return whether bytes of a disk or a card that were never written are among a slice's."""
    if _HOLE not in unit:
        return False
    end = unit.rstrip(b"\0")
    return _HOLE in end or len(unit) - len(end) > _PADDING
