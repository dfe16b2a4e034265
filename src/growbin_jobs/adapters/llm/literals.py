"""Reads one object that a model wrote: as JSON, or nearly as JSON, as programs have their literals."""

import ast
import json
import re
from typing import Any, Final

#: Characters of one that is read as a program or has comments: an answer is short, and these readers are not made for
#: foreign text.
_LONGEST: Final = 4_000
#: A text, which stays as it is, or a comment.
_COMMENT: Final = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\.)*')|//[^\n]*|/\*.*?\*/""", re.DOTALL)
#: JavaScript's names for values, which are none of Python's.
_VALUES: Final = {"true": True, "false": False, "null": None}


class Ambiguous(ValueError):
    """The text means no one object; the message says why and quotes nothing."""


def written(text: str) -> Any:
    """Return the object that a text is; None where it is none.

    Parameters:
      text: From one brace to the last.

    Raises:
      Ambiguous: It means more than one.
    """
    plain = _without_comments(text)
    for attempt in (text, *(_without_trailing_commas(each) for each in (text, plain))):
        try:
            return loads(attempt)
        except Ambiguous:
            raise
        except ValueError:
            continue
    return _of_program(text) or _of_program(plain)


def loads(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
      Ambiguous: It has a name twice with two values, a number that is none, or too many levels.
      ValueError: It is no JSON.
    """
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant, strict=False)
    except RecursionError:
        raise Ambiguous("nested too deeply") from None


def _without_comments(text: str) -> str:
    return _COMMENT.sub(lambda found: found[1] or " ", text) if "/" in text and len(text) <= _LONGEST else text


class _Values(ast.NodeTransformer):
    """Puts values in the place of JavaScript's names: of the members of an object, and of what they are."""

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        node.keys = [ast.Constant(key.id) if isinstance(key, ast.Name) else key for key in node.keys]
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_VALUES[node.id]) if node.id in _VALUES else node


def _of_program(text: str) -> Any:
    """Return the object that a literal of Python or JavaScript is, which models write, too; else None."""
    if len(text) > _LONGEST or "\\" in text:  # Python warns of escapes that it does not know
        return None
    try:
        tree = _Values().visit(ast.parse(text, mode="eval"))
        value = ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            names = [ast.dump(key) for key in node.keys if key]
            unique(list(zip(names, map(ast.dump, node.values), strict=True)))
    return value


def _without_trailing_commas(text: str) -> str:
    kept: list[str] = []
    in_string = escaped = False
    for char in text:
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "}]":
            last = next((place for place in range(len(kept) - 1, -1, -1) if not kept[place].isspace()), None)
            if last is not None and kept[last] == ",":
                kept[last] = ""
        kept.append(char)
    return "".join(kept)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return members as an object. Raises Ambiguous where a name has two values."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found and found[name] != value:
            raise Ambiguous("a name twice")
        found[name] = value
    return found


def _no_constant(_: str) -> Any:
    raise Ambiguous("not a number")
