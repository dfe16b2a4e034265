"""``growbin-jobs monitor``: the web monitor, its passwords, links and tokens."""

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from growbin_jobs.cli.audited import record
from growbin_jobs.cli.console import print_json, print_line, say
from growbin_jobs.cli.person import name_of_person
from growbin_jobs.cli.spoken import spoken
from growbin_jobs.cli.target import EngineName

if TYPE_CHECKING:
    from growbin_jobs.models.monitor_tokens import MonitorTokens
    from growbin_jobs.monitor.people import Grant

_INSTALL = "The monitor is not installed. Install it: pip install 'growbin-jobs[monitor]'."

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
RoleName = Annotated[str, typer.Option(help="viewer, operator or admin; +personal behind it lets see personal data.")]


def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: 5555.", min=0, max=65535)] = None,
    unix_socket: Annotated[Path | None, typer.Option(help="Listen on this unix socket instead.")] = None,
    url_prefix: Annotated[
        str | None, typer.Option(help="Path below which it lives, such as /monitor, whether a proxy strips it or not.")
    ] = None,
    any_port: Annotated[bool, typer.Option("--any-port", help="Take a free port if the wanted one is taken.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Nothing can be changed, whoever asks.")] = False,
    sign_in_link: Annotated[
        bool, typer.Option("--sign-in-link", help="Print a link for one sign-in as administrator.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody on this machine in, as administrator; loopback only.")
    ] = False,
    _engine: EngineName = None,
) -> None:
    """Show and steer everything in a browser. It does not start without credentials. Ctrl-C stops.

    Of an engine of your own it shows tasks, errors, workers, queues, dead letters, schedule, proof and audit; the
    monitor's settings are the same. Exit code 78 when a setting is wrong.

    \b
    Examples:
      growbin-jobs monitor --sign-in-link
      GROWBIN_MONITOR_USERS=kim:admin:$HASH growbin-jobs monitor --host ::
      growbin-jobs monitor --unix-socket /run/growbin/monitor.sock --url-prefix /monitor
      growbin-jobs monitor --engine orders.jobs --sign-in-link
    """
    from growbin_jobs.cli.console import complain
    from growbin_jobs.errors import ConfigurationError

    if ctx.invoked_subcommand is not None:
        return
    try:
        _serve(
            {
                "host": host, "port": port, "unix_socket": unix_socket, "url_prefix": url_prefix,
                "read_only": read_only or None, "insecure": insecure or None, "sign_in_links": sign_in_link or None,
            },
            any_port=any_port,
        )  # fmt: skip
    except ConfigurationError as error:
        complain("error", str(error))
        raise typer.Exit(os.EX_CONFIG) from None


def _serve(options: dict[str, Any], *, any_port: bool) -> None:
    import logging

    from growbin_jobs import settings as _settings
    from growbin_jobs.cli import target

    with installed():
        from growbin_jobs.monitor.bootstrap import make_config, make_services
        from growbin_jobs.monitor.server import address_of, listening
        from growbin_jobs.monitor.server import serve as serve_until_signal

    form = "[%(asctime)s] [PID %(process)d] [monitor] [%(name)s] [%(levelname)s] %(message)s"
    logging.basicConfig(level=logging.INFO, format=form)
    settings = _settings.load()
    config = make_config(settings, growbin=target.is_growbin(), **options)
    listener = listening(config, any_port=any_port)
    services = make_services(settings, target.another())
    address = address_of(config, listener)
    say(f"Monitor: {address}  Ctrl-C stops.", "bold")
    if config.insecure:
        say(spoken("Everybody on this machine is an administrator there (--insecure)."), "yellow")
    if config.sign_in_links:
        say(f"Sign in, once: {_link(services.tokens, address)}")
    serve_until_signal(config, services, sockets=[listener])


def hash_password(
    name: Annotated[str, typer.Argument(help="Name to sign in with.")],
    role: RoleName = "viewer",
) -> None:
    """Ask for a password, or read it from stdin, and print the line for GROWBIN_MONITOR_USERS.

    \b
    Examples:
      growbin-jobs monitor hash-password kim --role admin+personal
      pwgen 24 1 | growbin-jobs monitor hash-password ci --role viewer >> users.txt
    """
    import getpass
    import sys

    from growbin_jobs.errors import ConfigurationError

    with installed():
        from growbin_jobs.monitor.people import Grant, User
        from growbin_jobs.monitor.security.passwords import LEAST_LENGTH
        from growbin_jobs.monitor.security.passwords import hash_password as hashed

    grant = Grant.parse(role)
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise ConfigurationError("The two are not the same.")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < LEAST_LENGTH:
        raise ConfigurationError(f"A password has at least {LEAST_LENGTH} characters; several words are easy to keep.")
    line = f"{name}:{grant}:{hashed(password)}"
    if len(line.split()) != 1 or name.startswith("#"):
        raise ConfigurationError("A name has no blanks and does not begin with #.")
    User.parse(line)
    print_line(line)


def link(
    address: Annotated[str, typer.Option(help="Address of the monitor.")] = "http://127.0.0.1:5555/",
    role: RoleName = "admin",
    minutes: Annotated[int, typer.Option(help="Minutes until it is worthless.", min=1, max=1440)] = 15,
    _engine: EngineName = None,
) -> None:
    """Print a link for one sign-in to a monitor that runs with --sign-in-link, such as that of `up`.

    \b
    Examples:
      growbin-jobs monitor link
      growbin-jobs monitor link --role viewer --minutes 60 --address https://jobs.example.com/
    """
    with installed():
        from growbin_jobs.monitor.people import Grant

    print_line(_link(_tokens(), address, Grant.parse(role), minutes))


def create_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: RoleName = "viewer",
    days: Annotated[int, typer.Option(help="Days until it expires.", min=1, max=366)] = 90,
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Make a token for scripts and print it; it cannot be shown again.

    \b
    Examples:
      growbin-jobs monitor token create dashboard --role viewer
      TOKEN=$(growbin-jobs monitor token create deploy --role operator --days 7)
    """
    from growbin_jobs.operations.json_ready import as_json

    with installed():
        from growbin_jobs.monitor.people import Grant

    from growbin_jobs.cli import target

    grant = Grant.parse(role)
    tokens = _tokens()
    record(target.central(), "token.created", target=name, details={"role": str(grant), "days": days})
    token, secret = tokens.create(
        name=name, kind="api", role=grant.role.word, personal=grant.personal, created_by=name_of_person(),
        lasts=timedelta(days=days),
    )  # fmt: skip
    if json:
        print_json(as_json(token) | {"secret": secret})
        return
    say(f"{token.id}: {grant}, until {token.expires_at:%Y-%m-%d}. It is shown this once:")
    print_line(secret)


def list_tokens(json: Json = False, _engine: EngineName = None) -> None:
    """List the tokens, without their secrets.

    \b
    Examples:
      growbin-jobs monitor token list
      growbin-jobs monitor token list --json | jq -r 'select(.state == "valid") | .name'
    """
    from growbin_jobs.cli.monitor_view import print_tokens
    from growbin_jobs.operations.json_ready import as_json

    found = _tokens().all()
    if not json:
        print_tokens(found)
    for token in found if json else ():
        print_json(as_json(token) | {"state": token.state})


def revoke_token(
    token: Annotated[str, typer.Argument(help="Id, as `monitor token list` shows it.")],
    json: Json = False,
    _engine: EngineName = None,
) -> None:
    """Make a token worthless at once.

    \b
    Examples:
      growbin-jobs monitor token revoke 3f2a9c51d0b7
      growbin-jobs monitor token revoke 3f2a9c51d0b7 --json
    """
    from growbin_jobs.cli import target

    tokens = _tokens()
    revoked = tokens.revoke(token)
    record(target.central(), "token.revoked", target=token)
    print_json({"revoked": token, "name": revoked.name}) if json else print_line(
        spoken("{name} is revoked.", name=revoked.name)
    )


def _link(tokens: "MonitorTokens", address: str, grant: "Grant | None" = None, minutes: int = 15) -> str:
    from growbin_jobs.monitor.people import Grant, Role

    grant = grant or Grant(Role.ADMIN, personal=True)
    _, secret = tokens.create(
        name=name_of_person(), kind="link", role=grant.role.word, personal=grant.personal,
        created_by=name_of_person(), lasts=timedelta(minutes=minutes),
    )  # fmt: skip
    return f"{address.rstrip('/')}/sign-in/link#{secret}"


def _tokens() -> "MonitorTokens":
    from growbin_jobs.cli import target
    from growbin_jobs.models.monitor_tokens import MonitorTokens

    return MonitorTokens(target.central())


class installed:  # noqa: N801 used as a word: with installed(): …
    """Says how to install the monitor where its libraries are missing."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        from growbin_jobs.errors import ConfigurationError

        if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("growbin_jobs"):
            raise ConfigurationError(_INSTALL) from None
