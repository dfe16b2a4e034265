"""The product's files and what is written in them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "growbin_jobs"

MODULES = sorted(SOURCE.rglob("*.py"))


@cache
def text_of(path: Path) -> str:
    return path.read_text()


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file. To keep them all would make each search for garbage longer."""
    return ast.parse(text_of(path))


def statements_of(path: Path) -> Iterator[ast.stmt]:
    """Every statement of a file, those inside functions too; to walk through expressions takes five times as long."""
    waiting: list[ast.AST] = [tree_of(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, name, ())
