"""The one object that an answer means, before it is validated strictly: taken out of what models put around it.

| a model wrote | it means |
| --- | --- |
| the object, and sentences or a code fence around it | the object, where there is exactly one |
| a list of one object; the object below one name; the object as a JSON string | the object |
| the object and, beside it, why: ``"reasoning": "It is clear."`` | the object |
| a comma before a closing bracket; a line's end as it is inside a text | no comma; the line's end |
| the object as Python or JavaScript writes it: ``{'item': None}``, ``{item: null}`` | the object |
| comments: ``"metal", // it shines`` | the object without them |
| ``"0.8"``, ``"80%"``, ``80`` where a share of 0 to 1 is asked for | 0.8 |
| ``" Plastics "``, ``"플라스틱"`` where ``plastic`` is one of the words asked for | ``plastic`` |
| ``"PET bottle"`` where ``pet_bottle`` is one, ``"Item"`` or ``"품목"`` for the name ``item`` | the word, the name |
| a name twice with two values; NaN or Infinity; two objects | nothing: it is ambiguous |
"""

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from growbin_jobs.adapters.llm.literals import Ambiguous, loads, unique, written

_WRAPPERS: Final = frozenset(
    {
        "answer",
        "result",
        "response",
        "output",
        "data",
        "json",
        "object",
        "arguments",
        "parameters",
        "properties",
        "content",
        "결과",
        "답변",
    }
)
#: Names of what models say for themselves where nobody asked; a text of theirs is left out. Any other name counts.
_WHY: Final = frozenset({
    "reasoning", "reason", "reasons", "rationale", "explanation", "justification", "thought", "thoughts", "thinking",
    "analysis", "note", "notes", "comment", "이유", "근거", "설명",
})  # fmt: skip
_DECODER_DEPTH: Final = 64
#: Characters of an answer that are looked at.
_LONGEST: Final = 100_000


#: Words to their other names.
Also = Mapping[str, Sequence[str]]


def the_object(text: str, schema: Mapping[str, Any], also: Also | None = None) -> dict[str, Any]:
    """Return the object that an answer means.

    Parameters:
      text: Of the answer, unwrapped (:mod:`growbin_jobs.adapters.llm.wrapping`).
      schema: JSON Schema that the object should fit; its names and words are used to find it and to read its values.
      also: Words and names of the schema to their other names, such as ``plastic`` to ``플라스틱``.

    Raises:
      Ambiguous: There is none, or more than one.
    """
    forms = schema.get("properties", {})
    names = set(forms)
    found = _unwrapped(_parsed(text[:_LONGEST]), names | {str(schema.get("title", ""))}, names, 0)
    return {
        name: _value(value, forms.get(name, {}), schema, also or {})
        for name, value in _by_names(found, names, also or {})
    }


def _by_names(found: Mapping[str, Any], names: set[str], also: Also) -> list[tuple[str, Any]]:
    """Return the members by the names that were asked for; one that was not asked for stays as it is."""
    spelled = {_letters(other): name for name in names for other in (*also.get(name, ()), name)}
    read = [(spelled.get(_letters(name), name), value) for name, value in found.items()]
    asked = [(name, value) for name, value in read if name in names or not _says_why(name, value)]
    return list(unique(asked).items())


def _says_why(name: str, value: Any) -> bool:
    return name.casefold() in _WHY and (value is None or isinstance(value, str))


def _letters(text: str) -> str:
    """Return what two spellings of a word share: its letters and numbers."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def _parsed(text: str) -> Any:
    try:
        return loads(text)
    except ValueError as error:
        if isinstance(error, Ambiguous):
            raise
    whole = [found for start, end in _spans(text) if isinstance(found := written(text[start:end]), dict)]
    distinct = [each for place, each in enumerate(whole) if each not in whole[:place]]
    if len(distinct) != 1:
        raise Ambiguous("json_invalid" if not distinct else "several objects")
    return distinct[0]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the outermost braces begin and end, strings left aside."""
    depth, start, in_string, escaped = 0, 0, False, False
    for place, char in enumerate(text):
        if depth and in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif depth and char == '"':
            in_string = True
        elif char == "{":
            start = start if depth else place
            depth += 1
        elif char == "}" and depth:
            depth -= 1
            if depth == 0:
                yield start, place + 1


def _unwrapped(value: Any, wrappers: set[str], names: set[str], depth: int) -> dict[str, Any]:
    if depth > _DECODER_DEPTH:
        raise Ambiguous("nested too deeply")
    if isinstance(value, str):
        return _unwrapped(_parsed(value), wrappers, names, depth + 1)
    if isinstance(value, list) and len(value) == 1:
        return _unwrapped(value[0], wrappers, names, depth + 1)
    if not isinstance(value, dict):
        raise Ambiguous("no object")
    if not {_letters(name) for name in names} & {_letters(name) for name in value}:
        if len(value) == 1 and isinstance(only := next(iter(value.values())), dict):
            return _unwrapped(only, wrappers, names, depth + 1)
        inner = [
            value[name] for name in value
            if (name in _WRAPPERS or name in wrappers) and isinstance(value[name], dict | list | str)
        ]  # fmt: skip
        if len(inner) == 1 and value.keys() - _WRAPPERS - wrappers <= {"name", "type", "id"}:
            return _unwrapped(inner[0], wrappers, names, depth + 1)
    return value


def _value(value: Any, form: Mapping[str, Any], schema: Mapping[str, Any], also: Also) -> Any:
    reference = str(form.get("$ref", "")).rpartition("/")[2]
    form = schema.get("$defs", {}).get(reference, form)
    if form.get("type") == "number" and form.get("minimum") == 0 and form.get("maximum") == 1:
        return _share(value)
    words = [*form.get("enum", []), *([form["const"]] if "const" in form else [])]
    if isinstance(value, str) and value not in words:
        alike = [word for word in words if isinstance(word, str) and _letters(value) in _spellings(word, also)]
        return alike[0] if len(alike) == 1 else value
    return value


def _spellings(word: str, also: Also) -> Iterator[str]:
    yield _letters(word)
    yield _letters(word) + "s"
    yield from map(_letters, also.get(word, ()))


def _share(value: Any) -> Any:
    """Return a share of 0 to 1; as it is where it is not clear what is meant."""
    if isinstance(value, bool):
        return str(value)  # a validator would take it for 1
    text = unicodedata.normalize("NFKC", value).strip() if isinstance(value, str) else ""
    percent = text.endswith("%")
    if text:
        try:
            value = float(text.removesuffix("%").strip().replace(",", "."))
        except ValueError:
            return text
    if isinstance(value, float) and not math.isfinite(value):
        raise Ambiguous("not a number")
    if isinstance(value, int | float) and (percent or (2 <= value <= 100 and float(value).is_integer())):
        return round(value / 100, 6)
    return value
