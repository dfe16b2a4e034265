"""Words in two languages: tables of what commands and reports say, and translations of what is recorded in English."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from growbin_jobs.reasons import Language

#: What is said, by a key of the code: the same placeholders in each language.
Words = Mapping[str, Mapping[Language, str]]

_PLACEHOLDER: Final = re.compile(r"\{([^}]+)\}")


def worded(words: Words, key: str, language: Language, **values: object) -> str:
    """Return a word or a sentence of a table.

    Parameters:
      values: Of its placeholders.
    """
    return words[key][language].format_map(values)


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
