"""What people read, in Korean and English: ``catalogues/<language>/*.json``, one file for each part of the monitor."""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from starlette.requests import HTTPConnection

LANGUAGES: Final = ("ko", "en")

#: The cookie with the language that somebody has chosen.
LANGUAGE_COOKIE: Final = "growbin_language"


class Words:
    """The sentences of one language; called with a key it returns one.

    Parameters:
      language: ``ko`` or ``en``.
      sentences: By key, with ``{name}`` where a value goes.
    """

    def __init__(self, language: str, sentences: Mapping[str, str]) -> None:
        self.language = language
        self._sentences = sentences

    def __call__(self, key: str, /, **values: object) -> str:
        """Return a sentence.

        Parameters:
          key: Such as ``nav.overview``.
          values: What goes into its places.

        Raises:
          KeyError: There is no such sentence, or a value is missing: a mistake of ours.
        """
        sentence = self._sentences[key]
        return sentence.format_map(values) if values else sentence

    def __contains__(self, key: object) -> bool:
        return key in self._sentences

    def all(self, prefix: str) -> dict[str, str]:
        """Return the sentences whose key begins so, for scripts of a page."""
        return {key: sentence for key, sentence in self._sentences.items() if key.startswith(prefix)}


@cache
def words_in(language: str) -> Words:
    """Return the words of a language."""
    return Words(language, catalogue(language))


def catalogue(language: str) -> dict[str, str]:
    """Return all sentences of a language.

    Raises:
      ValueError: Two files have the same key.
    """
    found: dict[str, str] = {}
    for path in sorted(
        files("growbin_jobs.monitor").joinpath("catalogues", language).iterdir(), key=lambda each: each.name
    ):
        if path.name.endswith(".json"):
            part = json.loads(path.read_text("utf-8"))
            if doubled := found.keys() & part.keys():
                raise ValueError(f"{path.name} has keys of another file: {sorted(doubled)}")
            found |= part
    return found


def language_of(connection: HTTPConnection, default: str) -> str:
    """Return the language for a request: the chosen one, else the browser's first that we have, else the default."""
    chosen = connection.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    wanted = []
    for part in connection.headers.get("accept-language", "").split(","):
        name, _, parameters = part.partition(";")
        quality = re.search(r"q=([\d.]{1,5})", parameters)
        try:
            wanted.append((-float(quality[1]) if quality else -1.0, name.strip()[:2].lower()))
        except ValueError:
            continue
    return next(
        (name for quality, name in sorted(wanted, key=lambda each: each[0]) if name in LANGUAGES and quality), default
    )
