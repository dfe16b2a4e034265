"""Puts an ICC colour profile together that is split over several segments of a JPEG.

A profile whose parts are numbered from 0, or say a larger count than there are parts, is ignored, as by libjpeg-turbo's
``jpeg_read_icc_profile`` and so by browsers: a photo is to look here as it does to its user.
"""

from growbin_jobs.adapters.pictures.formats import MAX_PROFILE


class Parts:
    """The numbered parts of a profile, in any order (ICC.1:2010 annex B.4); a part that comes twice counts once."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._count = 0

    def add(self, part: bytes) -> None:
        """Take a part: its number, the number of all parts, and a piece of the profile."""
        if len(part) < 2:
            return
        number, self._count = part[0], self._count or part[1]
        self._parts.setdefault(number, part[2:])

    def joined(self) -> bytes | None:
        """Return the profile; None where there is none, a part is missing, or it is larger than we honour."""
        numbers = range(1, self._count + 1)
        if not self._count or any(number not in self._parts for number in numbers):
            return None
        profile = b"".join(self._parts[number] for number in numbers)
        return profile if 0 < len(profile) <= MAX_PROFILE else None
