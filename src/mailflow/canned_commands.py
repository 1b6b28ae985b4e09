"""The commands for canned replies: what there is, and one of them filled in."""

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer
from rich.table import Table

from mailflow import bootstrap, console, settings
from mailflow.adapters.canned import load_canned
from mailflow.command_line import ConfigOption, err, explained, fail, out
from mailflow.core.canned import Canned, chosen
from mailflow.core.check import unfit_words

canned_app = typer.Typer(help="Replies that a specialist fills in.", no_args_is_help=True)
GROUPS = {"canned": canned_app}


@canned_app.command("list")
def canned_list(
    config: ConfigOption = None,
    intent: Annotated[str | None, typer.Option(help="only those that may answer this intent")] = None,
) -> None:
    """The canned replies: for which mails, for whom, and what has to be filled in."""
    with explained():
        chosen_settings = settings.read_settings(config)
        replies = load_canned(bootstrap.find_assets(chosen_settings).classifiers)
        known = bootstrap.read_playbook(chosen_settings).intents
    if intent is not None and intent not in known:
        fail(f"there is no intent {intent}; there are: {', '.join(known)}")
    fitting = {name: one for name, one in replies.items() if intent is None or intent in one.intents}
    out.print(_table(fitting))
    out.print(f"{len(fitting)} canned replies")


@canned_app.command("show")
def canned_show(
    name: str,
    field: Annotated[
        list[str] | None, typer.Option("--field", help="NAME=VALUE, what is filled in; once for each field")
    ] = None,
    greeting: Annotated[str, typer.Option("--name", help="whom it greets")] = "",
    config: ConfigOption = None,
) -> None:
    """One canned reply as text, filled in, ready to be sent; what is missing is named."""
    with explained():
        chosen_settings = settings.read_settings(config)
        found = bootstrap.find_assets(chosen_settings)
        renderer = bootstrap.build_canned(found, bootstrap.read_playbook(chosen_settings))
        text = renderer.reply(name, _pairs(field or []), greeting).text
    out.print(console.plain(text), soft_wrap=True, end="")  # folded lines would be sent folded
    for said, what in unfit_words(text, chosen(name, renderer.replies).audience):
        err.print(console.plain(f"mailflow: it says `{said}`: {what}; read it again before you send it"))


def _pairs(values: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        key, sign, what = value.partition("=")
        if not sign or not key.strip():
            fail(f"--field {value}: write it as NAME=VALUE")
        if key.strip() in pairs:
            fail(f"--field {key.strip()} is given twice; leave one out")
        pairs[key.strip()] = what
    return pairs


MANY = 10
"""So many intents are as good as all."""


def _table(replies: Mapping[str, Canned]) -> Table:
    table = console.new_table("name", "for", "what", "to fill in", "intents")
    for name, one in replies.items():
        table.add_row(*map(console.plain, _row(name, one)))
    return table


def _row(name: str, one: Canned) -> Iterator[str]:
    yield from (name, one.audience.value, one.title, ", ".join(one.fields))
    yield ", ".join(one.intents) if len(one.intents) < MANY else "any"
