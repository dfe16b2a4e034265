"""Kinds of values that several settings share, as types that read and check them."""

import os
import re
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from growbin_jobs.engine.data_folder import expanded, from_the_root
from growbin_jobs.limit_names import checked_name
from growbin_jobs.names import SPOOL_USER
from growbin_jobs.rates import Rate, parse_rates


def _split_commas(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_paths(value: Any) -> Any:
    return [Path(part) for part in value.split(os.pathsep) if part] if isinstance(value, str) else value


def _only_users_in_braces(value: list[Path]) -> list[Path]:
    for path in value:
        if (odd := re.search(r"\{.*?\}", str(path).replace(SPOOL_USER, ""))) is not None:
            raise ValueError(f"{odd[0]} stands for nothing in a folder's name; {SPOOL_USER} is the message's user")
    return value


def _read_rates(value: Any) -> Any:
    return {checked_name(name): rate for name, rate in parse_rates(value).items()} if isinstance(value, str) else value


def _networks(value: list[str]) -> list[str]:
    for text in value:
        ip_network(text)  # its ValueError says what is wrong
    return value


def _networks_or_socket(value: list[str]) -> list[str]:
    _networks([text for text in value if text != "unix"])
    return value


def _is_web_address(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError("must start with https:// or http://")
    return value


def _site(value: str) -> str | None:
    return _is_web_address(value).rstrip("/") if value else None


def _secret_address(value: SecretStr) -> SecretStr:
    _is_web_address(value.get_secret_value())
    return value


#: An amount of money in dollars, to a micro-dollar.
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=6)]

#: Values separated by commas.
Names = Annotated[list[str], NoDecode, BeforeValidator(_split_commas)]
Networks = Annotated[list[str], NoDecode, BeforeValidator(_split_commas), AfterValidator(_networks)]
ProxyNetworks = Annotated[list[str], NoDecode, BeforeValidator(_split_commas), AfterValidator(_networks_or_socket)]

#: ``~`` is this user's home, as in a shell.
HomePath = Annotated[Path, AfterValidator(expanded)]
#: Folders that processes on a machine share, of which one may be each user's own.
Folders = Annotated[
    list[Annotated[Path, AfterValidator(from_the_root)]],
    NoDecode,
    BeforeValidator(_split_paths),
    AfterValidator(_only_users_in_braces),
]

#: The address of a site, without a slash at its end.
Site = Annotated[str, AfterValidator(_site)]
#: A web address that holds a secret, such as a token.
SecretAddress = Annotated[SecretStr, AfterValidator(_secret_address)]

#: Limits by name: ``project=500/min,user:*=20/min``.
Rates = Annotated[dict[str, Rate], NoDecode, BeforeValidator(_read_rates)]
