"""From corrections to a better model: corrections, replay, model. Training itself: cli.train."""

import getpass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mailflow import bootstrap, console, learning, settings
from mailflow.command_line import ConfigOption, LimitOption, explained, fail, open_view, out, progress
from mailflow.core.replay import ReplayReport

corrections_app = typer.Typer(help="What specialists said that mails are.", no_args_is_help=True)
model_app = typer.Typer(help="The model that works, and the one before.", no_args_is_help=True)
GROUPS = {"corrections": corrections_app, "model": model_app}


@corrections_app.command("list")
def corrections_list(config: ConfigOption = None, limit: LimitOption = 50) -> None:
    """Corrections, newest first."""
    with open_view(config) as unit:
        out.print(console.corrections_table(unit.corrections(limit)))


@corrections_app.command("export")
def corrections_export(
    path: Annotated[Path | None, typer.Argument(help="default: corrections.jsonl beside the examples")] = None,
    config: ConfigOption = None,
) -> None:
    """Write them as labelled examples, without the people in them (docs/evaluating.md)."""
    with explained():
        chosen = settings.read_settings(config)
        where = path or bootstrap.find_assets(chosen).classifiers / bootstrap.CORRECTIONS
        count = learning.export_corrections(chosen, where)
    out.print(console.plain(f"{count} corrected mails written to {where}"))


def replay(
    model: Annotated[Path | None, typer.Option("--model", help="another model's folder")] = None,
    playbook: Annotated[
        Path | None, typer.Option("--playbook", help="another folder with classifiers/ and templates/")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="only mail stored from this day on")
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="at most so many mails, the newest")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="the whole report as JSON")] = False,
    config: ConfigOption = None,
) -> None:
    """Decide the stored mails again with another model or playbook, and show every decision that would change."""
    if model is None and playbook is None:
        fail("say what to compare with: --model FOLDER, --playbook FOLDER, or both")
    with explained(), progress("replaying") as show:
        report = learning.replay_desk(
            settings.read_settings(config),
            show,
            model=model,
            assets_root=playbook,
            since=since.astimezone() if since else None,
            limit=last,
        )
    _show(report, as_json)


def _show(report: ReplayReport, as_json: bool) -> None:
    if as_json:
        typer.echo(learning.replay_json(report))
    else:
        out.print(console.replay_view(report))


@model_app.command("promote")
def model_promote(
    folder: Annotated[Path, typer.Argument(help="made by `mailflow train --into FOLDER`")], config: ConfigOption = None
) -> None:
    """Put another model to work; the one before is kept. Running workers take it up at their next start."""
    with explained():
        before, after = learning.promote_model(settings.read_settings(config), folder, getpass.getuser())
    out.print(f"model: {before or 'none'} -> {after}; restart the workers")


@model_app.command("rollback")
def model_rollback(config: ConfigOption = None) -> None:
    """Put the model before this one to work again."""
    with explained():
        before, after = learning.roll_back_model(settings.read_settings(config), getpass.getuser())
    out.print(f"model: {before} -> {after}; restart the workers")
