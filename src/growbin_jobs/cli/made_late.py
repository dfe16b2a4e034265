"""Commands and groups that are made when they are asked for: to make all of them takes longer than most of them run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import cleandoc
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperCommand, TyperGroup


class _Readable:
    """For a command whose help fills the terminal's lines, and shows no type for options that take no value."""

    def __init__(self, *arguments: Any, help: str | None = None, **options: Any) -> None:
        super().__init__(*arguments, help=None if help is None else filled(help), **options)  # type: ignore[call-arg]

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in found:
            if getattr(parameter, "is_bool_flag", False):
                parameter.metavar = ""
        return found


def filled(text: str) -> str:
    """Return a docstring without the ends of lines amid its paragraphs, which Typer keeps in all but the first.

    Those that begin with ``\\b``, such as examples, stay as they are.
    """
    paragraphs = cleandoc(text).split("\n\n")
    return "\n\n".join(each if each.startswith("\b") else each.replace("\n", " ") for each in paragraphs)


class _Command(_Readable, TyperCommand):
    pass


class Children(Mapping[str, Any]):
    """What is below a group: each name with its Click command.

    Parameters:
      makers: Make a command, at most once.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = makers
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Group(_Readable, TyperGroup):
    """A group whose class knows what is below it; see :func:`put_below`."""

    makers: ClassVar[Mapping[str, Callable[[], Any]]] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = cast(Any, Children(self.makers))


def put_below(
    group: typer.Typer, functions: Mapping[str, Callable[..., None]], groups: Mapping[str, typer.Typer]
) -> None:
    """Name all that a group has, commands before groups; nothing is made yet.

    Parameters:
      functions: Each becomes a command of that name.
      groups: By their names.
    """
    makers: dict[str, Callable[[], Any]] = {}
    for name, function in functions.items():
        makers[name] = partial(_command, name, function)
    for name, below in groups.items():
        below.info.name = name
        makers[name] = partial(typer.main.get_group, below)
    group.info.cls = type("Group", (Group,), {"makers": makers})


def _command(name: str, function: Callable[..., None]) -> Any:
    alone = typer.Typer(add_completion=False)
    alone.command(name, cls=_Command)(function)
    return typer.main.get_command(alone)
