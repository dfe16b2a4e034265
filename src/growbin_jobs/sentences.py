"""Sentences that are kept or raised in English, with the names that they are about, in another language."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\{([^}]+)\}")


def translated(sentence: str, table: Mapping[str, str]) -> str:
    """Return a sentence as a table has it; one that is not there, as it is: words of a person, or of a foreign error.

    Parameters:
      table: By the English sentence as the code has it, with ``{placeholders}``; the other language has the same ones.
    """
    for english, other in table.items():
        found = _pattern(english).fullmatch(sentence)
        if found is not None:
            values = dict(zip(_PLACEHOLDER.findall(english), found.groups(), strict=True))
            return _PLACEHOLDER.sub(lambda each, values=values: values[each[1]], other)  # type: ignore[misc]
    return sentence


@cache
def _pattern(english: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(english)
    return re.compile("".join("(.*?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL)
