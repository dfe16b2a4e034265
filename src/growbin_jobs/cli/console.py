"""The consoles for stdout (results) and stderr (all else). Data is shown as data, whatever characters it holds."""

import json
import re
import sys
from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from growbin_jobs.cli.streams import encodes_everything

#: Characters that command a terminal or change the order of what it shows: C0 but for the line end, C1, lone
#: surrogates, line separators of Unicode, and its bidirectional controls (UAX #9, section 2).
_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class _Terminal(Console):
    """A rich console that interprets nothing in texts: no markup, no emoji codes, no control characters."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def print(self, *objects: Any, soft_wrap: bool | None = None, **how: Any) -> None:
        """Print; with ``soft_wrap`` what stays one line in a pipe is broken between words on a terminal.

        A word that is longer than the terminal is wide, such as an address or a digest, stays whole: it can be copied.
        """
        if soft_wrap and self.is_terminal:
            objects = tuple(_broken(visible(one), self.width) if isinstance(one, Text) else one for one in objects)
        super().print(*objects, soft_wrap=soft_wrap, **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # Every text comes by here, those in cells and titles too, before it is broken into lines.
        if isinstance(renderable, str):
            renderable = Text(renderable)
        return super().render(visible(renderable) if isinstance(renderable, Text) else renderable, options)


out = _Terminal()
err = _Terminal(stderr=True)


def visible(text: Text) -> Text:
    """Return a text with what a terminal would obey written out, such as ``\\x1b``; line ends stay."""
    if _UNSAFE.search(text.plain) is None:
        return text
    shown = text.blank_copy()
    end = 0
    for found in _UNSAFE.finditer(text.plain):
        shown.append_text(text[end : found.start()])
        shown.append("    " if found[0] == "\t" else _escaped(found[0]))
        end = found.end()
    return shown.append_text(text[end:])


def _broken(text: Text, width: int) -> Text:
    """Return a text with line ends between words where it is wider than so many cells."""
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        places, used = [], 0
        for word in re.finditer(r"\s*\S+", line.plain):
            cells = cell_len(word[0])
            if used and used + cells > width:
                places.append(word.end() - len(word[0].lstrip()))
                used, cells = 0, cell_len(word[0].lstrip())
            used += cells
        for part in line.divide(places):
            part.rstrip()
            lines.append(part)
    return Text("\n").join(lines)


def one_line(name: str) -> str:
    """Return a name with its line ends written out: it must not look like two lines of ours."""
    return name.replace("\n", "\\n")


#: Rows of a table for people where there may be as many as users; programs get all of them.
MOST_ROWS = 50


def say(words: str, style: str = "") -> None:
    """Say something to a person, on stderr. Lines are broken on a terminal only."""
    err.print(Text(words, style=style), soft_wrap=True)


def complain(about: str, words: str) -> None:
    """Say on stderr what went wrong with something."""
    err.print(Text.assemble((one_line(about), "bold red"), f": {words}"), soft_wrap=True)


def print_line(words: str) -> None:
    """Print one result for a person on stdout, in a pipe on one line however long it is."""
    out.print(Text(words), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout, and nothing around it.

    What a terminal would obey, and what stdout's encoding lacks, is escaped as JSON does: the value stays the same.
    """
    text = json.dumps(value, ensure_ascii=not encodes_everything(sys.stdout), default=str)
    sys.stdout.write(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
    sys.stdout.flush()


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
