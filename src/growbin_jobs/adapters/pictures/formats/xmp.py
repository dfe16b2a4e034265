"""Reads the orientation from an XMP packet."""

from typing import Final
from xml.parsers import expat

#: Bytes of a packet that are looked at; in a JPEG it has at most 65,502 (XMP part 3), elsewhere the history of
#: edits behind its first description makes it large.
MAX_PACKET: Final = 256_000

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ROOT: Final = f"{_RDF} RDF"
_DESCRIPTION: Final = f"{_RDF} Description"
_ORIENTATION: Final = "http://ns.adobe.com/tiff/1.0/ Orientation"


class _Stop(Exception):
    """Enough was read, or the packet is none."""


class _Reader:
    """Follows the elements of a packet down to ``tiff:Orientation``.

    Only what describes the picture itself counts, an attribute or a child of ``rdf:Description`` directly below
    ``rdf:RDF``: further in stand the pictures that it was made of.
    """

    def __init__(self) -> None:
        self.found: int | None = None
        self._path: list[str] = []
        self._text = ""
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _refuse(self, *_: object) -> None:
        raise _Stop  # no packet has a document type, and entities grow

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == _DESCRIPTION and self._path[-1:] == [_ROOT]:
            self._take(attributes.get(_ORIENTATION, ""))
        self._path.append(name)
        self._text = ""

    def _end(self, _: str) -> None:
        if self._path[-3:] == [_ROOT, _DESCRIPTION, _ORIENTATION]:
            self._take(self._text)
        self._path.pop()

    def _characters(self, text: str) -> None:
        if self._path[-1:] == [_ORIENTATION] and len(self._text) < 64:
            self._text += text

    def _take(self, text: str) -> None:
        number = text.strip()
        if len(number) == 1 and number in "12345678":
            self.found = int(number)
            raise _Stop


def orientation(packet: bytes) -> int | None:
    """Return ``tiff:Orientation``, 1–8; None where it is missing or nonsense, or the packet is no XML before it.

    Parameters:
      packet: What is behind the name of the segment or chunk. Format: XMP part 1 (ISO 16684-1).
    """
    reader = _Reader()
    try:
        reader.parser.Parse(packet[:MAX_PACKET].rstrip(b"\0").lstrip(b"\t\n\r "), False)
    except (_Stop, expat.ExpatError, ValueError, LookupError):
        # ValueError and LookupError: of an encoding that the packet names.
        return reader.found
    return reader.found
