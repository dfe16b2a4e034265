"""Decides which of the blocks in a file says how the picture is turned."""

from typing import Final

from growbin_jobs.adapters.pictures.formats import exif, xmp

#: EXIF blocks and XMP packets that are read; files have one or two. Pieces of a split block do not count.
_MAX_BLOCKS: Final = 64
_MAX_PACKETS: Final = 8
#: Bytes of a split block that are put together; the directory with the orientation stands at its beginning.
_MAX_JOINED: Final = 1_000_000


class Blocks:
    """Collects the blocks of a file in their order; the first that says 1–8 decides, EXIF before XMP.

    A block without an orientation, or with one that does not exist, says nothing, so that the next one is asked.
    EXIF goes before XMP because cameras write it, and programs that turn a picture keep it true.
    """

    def __init__(self) -> None:
        self._exif: list[list[bytes]] = []
        self._joined = 0
        self._xmp: int | None = None
        self._packets = 0

    def add_exif(self, block: bytes) -> None:
        """Take an EXIF block, or a piece that continues the block before it: it does not begin like one.

        Parameters:
          block: With or without the ``Exif`` prefix.
        """
        piece = exif.without_prefix(block)
        if exif.begins(piece):
            if len(self._exif) < _MAX_BLOCKS:
                self._exif.append([piece])
                self._joined = len(piece)
        elif self._exif and self._joined + len(piece) <= _MAX_JOINED:
            self._exif[-1].append(piece)
            self._joined += len(piece)

    def add_xmp(self, packet: bytes) -> None:
        """Take an XMP packet."""
        if self._xmp is None and self._packets < _MAX_PACKETS:
            self._packets += 1
            self._xmp = xmp.orientation(packet)

    def orientation(self) -> int:
        """Return what the picture's orientation is, 1–8; 1 where no block says it."""
        for pieces in self._exif:
            if (said := exif.orientation(b"".join(pieces))) is not None:
                return said
        return self._xmp or 1
