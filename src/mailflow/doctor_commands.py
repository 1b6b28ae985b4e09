"""The commands for whoever operates a desk: doctor, and what stands for an address in the log."""

import json
from collections import Counter
from typing import Annotated

import typer

from mailflow import checkup, console, logs
from mailflow.command_line import ConfigOption, open_store, out
from mailflow.core.findings import Status
from mailflow.services.doctor import Result, examine


def doctor(
    send: Annotated[
        bool, typer.Option("--send", help="also send the desk a mail, which it ignores, and find it again")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a check")] = False,
    config: ConfigOption = None,
) -> None:
    """Test settings, store, model, servers, login and folders, and say what to do. Exit 1 if anything failed."""
    counted: Counter[Status] = Counter()
    for result in examine(checkup.checks(config, send=send)):
        counted[result.finding.status] += 1
        if as_json:
            typer.echo(_line(result))
        else:
            out.print(console.checked_view(result))
    if not as_json:
        out.print(console.plain("doctor: " + ", ".join(f"{counted[status]} {status}" for status in Status)))
    if counted[Status.FAILED]:
        raise typer.Exit(1)


def _line(result: Result) -> str:
    finding = result.finding
    return json.dumps(
        {"check": result.name, "status": finding.status, "found": finding.found, "to_do": finding.to_do},
        ensure_ascii=False,
    )


def pseudonym(
    address: Annotated[str, typer.Argument(help="a mail address")],
    config: ConfigOption = None,
) -> None:
    """What stands for a mail address in the log of this desk."""
    with open_store(config) as store:
        out.print(logs.pseudonym(address, store.key("log")))
