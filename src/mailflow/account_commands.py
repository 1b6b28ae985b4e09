"""Who may use the review desk: users and tokens. A password comes by prompt or standard input, never as an argument."""

import getpass
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from mailflow import bootstrap, console, settings
from mailflow.command_line import ConfigOption, explained, fail, out
from mailflow.core.review import Account, AccountRole
from mailflow.services.accounts import Access

users_app = typer.Typer(help="Who may sign in to the review desk.", no_args_is_help=True)
tokens_app = typer.Typer(help="Tokens for the REST interface.", no_args_is_help=True)
GROUPS = {"users": users_app, "tokens": tokens_app}

PasswordOption = Annotated[bool, typer.Option("--password-stdin", help="read the password from standard input")]


def _access(config: Path | None) -> Access:
    return bootstrap.build_access(settings.read_settings(config))


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _known(access: Access, name: str) -> Account:
    with access.store.view() as unit:
        account = unit.account(name)
    if account is None:
        fail(f"there is no account {name}; `mailflow users list` shows them")
    return account


@users_app.command("add")
def users_add(
    name: str,
    role: Annotated[AccountRole, typer.Option(help="viewer, specialist, lead or admin")] = AccountRole.SPECIALIST,
    display_name: Annotated[str, typer.Option("--display-name", help="as others see it; default: the name")] = "",
    time_zone: Annotated[str, typer.Option("--time-zone", help="as Europe/Berlin")] = "UTC",
    password_stdin: PasswordOption = False,
    config: ConfigOption = None,
) -> None:
    """Add an account; the password is asked for."""
    with explained():
        access = _access(config)
        account = Account(name, display_name or name, role, time_zone=time_zone)
        access.add(account, _password(password_stdin), getpass.getuser())
    out.print(console.plain(f"{name} may sign in as {role}"))


@users_app.command("list")
def users_list(config: ConfigOption = None) -> None:
    """The accounts, and who may sign in."""
    with explained(), _access(config).store.view() as unit:
        out.print(console.accounts_table(unit.accounts()))


@users_app.command("role")
def users_role(name: str, role: AccountRole, config: ConfigOption = None) -> None:
    """Give an account another role; its sessions end."""
    with explained():
        access = _access(config)
        access.change(replace(_known(access, name), role=role), getpass.getuser())
    out.print(console.plain(f"{name} is {role} now"))


@users_app.command("disable")
def users_disable(name: str, config: ConfigOption = None) -> None:
    """Close an account; its sessions and tokens end."""
    with explained():
        _access(config).close(name, getpass.getuser())
    out.print(console.plain(f"{name} may not sign in any more"))


@users_app.command("enable")
def users_enable(name: str, config: ConfigOption = None) -> None:
    """Open a closed account again."""
    with explained():
        access = _access(config)
        access.change(replace(_known(access, name), is_active=True), getpass.getuser())
    out.print(console.plain(f"{name} may sign in again"))


@users_app.command("password")
def users_password(name: str, password_stdin: PasswordOption = False, config: ConfigOption = None) -> None:
    """Give an account another password; its sessions and tokens end."""
    with explained():
        access = _access(config)
        access.set_password(_known(access, name).name, _password(password_stdin), getpass.getuser())
    out.print(console.plain(f"{name} has another password"))


@tokens_app.command("add")
def tokens_add(
    name: Annotated[str, typer.Argument(help="the account in whose name it acts")],
    what_for: Annotated[str, typer.Option("--for", help="what it is for")],
    days: Annotated[int, typer.Option(min=1, max=366, help="how long it is good")] = 90,
    config: ConfigOption = None,
) -> None:
    """Make a token. It is shown this once, and stored nowhere."""
    with explained():
        access = _access(config)
        token = access.add_token(_known(access, name).name, what_for, timedelta(days=days), getpass.getuser())
    typer.echo(token)


@tokens_app.command("list")
def tokens_list(name: str, config: ConfigOption = None) -> None:
    """The tokens of an account, without their secrets."""
    with explained():
        access = _access(config)
        out.print(console.tokens_table(access.tokens(_known(access, name).name)))


@tokens_app.command("revoke")
def tokens_revoke(
    name: str,
    token: Annotated[str, typer.Argument(help="its id, as `tokens list` shows it")],
    config: ConfigOption = None,
) -> None:
    """End a token at once."""
    with explained():
        done = _access(config).revoke_token(name, token, getpass.getuser())
    if not done:
        fail(f"{name} has no token {token}; `mailflow tokens list {name}` shows them")
    out.print("revoked")
