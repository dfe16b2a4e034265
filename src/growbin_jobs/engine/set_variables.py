"""Reads settings from the environment, at a tenth of what pydantic-settings computes for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import AliasChoices, AliasPath
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError


class SetVariables(EnvSettingsSource):
    """The environment, of which only the fields that are set are looked at.

    The library examines the types of all fields, set or not, each time that settings are read: 8 ms for a hundred.
    """

    def __call__(self) -> dict[str, Any]:
        if self.env_nested_delimiter:  # then parts of a field have variables of their own
            return super().__call__()
        variables = {name.lower() for name in self.env_vars}
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            aliases = _aliases(name, field)
            if variables.isdisjoint(self._variables(name, aliases)):
                continue
            value, key, is_complex = self.get_field_value(field, name)
            if not is_complex and isinstance(aliases[0], str):
                key = aliases[0]  # the same in all sources, whichever of its variables is set
            try:
                value = self.prepare_field_value(name, field, value, is_complex)
            except ValueError as error:
                raise SettingsError(f"The variable of {name} cannot be read: {error}") from error
            if value is not None:
                found[key] = value
        return found

    def _variables(self, name: str, aliases: Sequence[str | AliasPath]) -> set[str]:
        """Return the variables that may hold a field; one too many does no harm."""
        names = [str(each.path[0]) if isinstance(each, AliasPath) else each for each in aliases]
        return {spelled.lower() for each in (name, *names) for spelled in (each, self.env_prefix + each)}


def _aliases(name: str, field: FieldInfo) -> Sequence[str | AliasPath]:
    alias = field.validation_alias
    return alias.choices if isinstance(alias, AliasChoices) else [alias or name]
