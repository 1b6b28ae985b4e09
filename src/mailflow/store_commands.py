"""The commands that look into the store and change what people may: threads, outbox, quarantine, mutes, partners."""

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mailflow import bootstrap, console, settings
from mailflow.command_line import ConfigOption, LimitOption, explained, fail, open_store, open_unit, open_view, out
from mailflow.core.delivery import OutboxState
from mailflow.core.hooks import HookState
from mailflow.core.octets import slices
from mailflow.services.reconcile import Gap, resolve_uncertain
from mailflow.services.reconcile import reconcile as compare

threads_app = typer.Typer(help="The threads in the store.", no_args_is_help=True)
outbox_app = typer.Typer(help="Answers on their way out.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Mails that could not be processed.", no_args_is_help=True)
mutes_app = typer.Typer(help="Addresses that get no automatic mail for a time.", no_args_is_help=True)
partners_app = typer.Typer(help="The partner directory.", no_args_is_help=True)
hooks_app = typer.Typer(help="Calls to other systems.", no_args_is_help=True)
workers_app = typer.Typer(help="The workers of the store.", no_args_is_help=True)
db_app = typer.Typer(help="The store's schema.", no_args_is_help=True)
GROUPS = {
    "threads": threads_app,
    "outbox": outbox_app,
    "quarantine": quarantine_app,
    "mutes": mutes_app,
    "partners": partners_app,
    "hooks": hooks_app,
    "workers": workers_app,
    "db": db_app,
}


def _now_and_who() -> tuple[datetime, str]:
    """For the audit trail."""
    return datetime.now(UTC), getpass.getuser()


@threads_app.command("list")
def threads_list(
    config: ConfigOption = None,
    limit: LimitOption = 50,
    status: Annotated[str | None, typer.Option(help="open, answered, held or ignored")] = None,
) -> None:
    """The threads, newest first."""
    with open_view(config) as unit:
        out.print(console.threads_table(unit.threads(limit, status)))


@threads_app.command("show")
def threads_show(thread_id: int, config: ConfigOption = None) -> None:
    """One thread: its mails, what was decided and why, and what happened when."""
    with open_view(config) as unit:
        story = unit.story(thread_id)
    if story is None:
        fail(f"there is no thread {thread_id}; `mailflow threads list` shows them")
    else:
        out.print(console.thread_story(story))


@threads_app.command("merge")
def threads_merge(
    thread_id: int,
    into: Annotated[int, typer.Option("--into", help="the thread that takes over its mails")],
    config: ConfigOption = None,
) -> None:
    """Make one thread of two: the mails move, and later mail for the first goes to the second."""
    with open_unit(config) as unit:
        done = unit.merge_threads(thread_id, into, *_now_and_who())
    if not done:
        fail(f"threads {thread_id} and {into} are not two threads; `mailflow threads list` shows them")
    out.print(f"thread {thread_id} went into thread {into}")


@outbox_app.command("list")
def outbox_list(
    config: ConfigOption = None,
    limit: LimitOption = 50,
    state: Annotated[OutboxState | None, typer.Option(help="only these")] = None,
) -> None:
    """Answers and how far they are."""
    with open_view(config) as unit:
        out.print(console.outbox_table(unit.outbox(limit, state)))


@outbox_app.command("retry")
def outbox_retry(entry_id: int, config: ConfigOption = None) -> None:
    """Send a failed or uncertain answer again. Look first whether an uncertain one arrived: it would come twice."""
    with open_unit(config) as unit:
        done = unit.retry_outbox(entry_id, *_now_and_who())
    if not done:
        fail(f"answer {entry_id} is neither failed nor uncertain; `mailflow outbox list` shows them")
    out.print(f"answer {entry_id} is queued again")


@outbox_app.command("cancel")
def outbox_cancel(entry_id: int, config: ConfigOption = None) -> None:
    """Do not send an answer that waits, failed or is uncertain; its thread waits for a person then."""
    with open_unit(config) as unit:
        done = unit.cancel_outbox(entry_id, *_now_and_who())
    if not done:
        fail(f"answer {entry_id} cannot be cancelled any more; `mailflow outbox list` shows how far it is")
    out.print(f"answer {entry_id} will not be sent; its thread is held")


@outbox_app.command("confirm")
def outbox_confirm(entry_id: int, config: ConfigOption = None) -> None:
    """Say that an uncertain answer arrived."""
    with open_unit(config) as unit:
        done = unit.confirm_outbox(entry_id, *_now_and_who())
    if not done:
        fail(f"answer {entry_id} is not uncertain; `mailflow outbox list --state uncertain` shows those that are")
    out.print(f"answer {entry_id} counts as sent")


@quarantine_app.command("list")
def quarantine_list(config: ConfigOption = None, limit: LimitOption = 50) -> None:
    """Mails that could not be processed, and why."""
    with open_view(config) as unit:
        out.print(console.quarantine_table(unit.quarantined(limit)))


@quarantine_app.command("show")
def quarantine_show(inbound_id: int, config: ConfigOption = None) -> None:
    """The raw mail, as it came, on standard output."""
    with open_store(config) as store, store.opened(inbound_id) as content:
        for one in slices(content):
            sys.stdout.buffer.write(one)


@quarantine_app.command("retry")
def quarantine_retry(inbound_id: int, config: ConfigOption = None) -> None:
    """Try a mail again from the start."""
    with open_unit(config) as unit:
        done = unit.retry_quarantined(inbound_id, *_now_and_who())
    if not done:
        fail(f"mail {inbound_id} is not in quarantine; `mailflow quarantine list` shows them")
    out.print(f"mail {inbound_id} will be tried again")


@mutes_app.command("list")
def mutes_list(config: ConfigOption = None, limit: LimitOption = 50) -> None:
    """Addresses whose mail came back, until when they are spared, and why."""
    with open_view(config) as unit:
        out.print(console.mutes_table(unit.mutes(datetime.now(UTC), limit)))


@mutes_app.command("remove")
def mutes_remove(address: str, config: ConfigOption = None) -> None:
    """Answer this address automatically again."""
    with open_unit(config) as unit:
        done = unit.unmute(address, *_now_and_who())
    if not done:
        fail(f"{address} is not muted; `mailflow mutes list` shows who is")
    out.print(console.plain(f"{address} is answered again"))


@partners_app.command("import")
def partners_import(
    file: Annotated[Path, typer.Argument(help="a CSV file (docs/partners.md)")], config: ConfigOption = None
) -> None:
    """Replace the partner directory by the rows of a CSV file; a wrong row changes nothing."""
    with explained():
        chosen = settings.read_settings(config)
        directory = bootstrap.read_partner_directory(chosen, file)
    with open_unit(config) as unit:
        unit.replace_partners(directory, *_now_and_who())
    out.print(f"{len(directory.partners)} partners with {len(directory.domains)} domains are known now")


@partners_app.command("list")
def partners_list(config: ConfigOption = None, limit: LimitOption = 50) -> None:
    """The partners, by company."""
    with open_view(config) as unit:
        directory = unit.partners()
    out.print(console.partners_table(directory.partners[:limit]))
    out.print(f"{len(directory.partners)} partners with {len(directory.domains)} domains")


@hooks_app.command("list")
def hooks_list(
    config: ConfigOption = None,
    limit: LimitOption = 50,
    state: Annotated[HookState | None, typer.Option(help="only these")] = None,
) -> None:
    """Calls to other systems and how far they are, newest first."""
    with open_view(config) as unit:
        out.print(console.hooks_table(unit.hooks(limit, state)))


@hooks_app.command("retry")
def hooks_retry(hook_id: int, config: ConfigOption = None) -> None:
    """Make a failed call again."""
    with open_unit(config) as unit:
        done = unit.retry_hook(hook_id, datetime.now(UTC))
    if not done:
        fail(f"call {hook_id} has not failed; `mailflow hooks list` shows them")
    out.print(f"call {hook_id} is queued again")


@workers_app.command("list")
def workers_list(config: ConfigOption = None) -> None:
    """Who is at work on this store."""
    with open_view(config) as unit:
        out.print(console.workers_table(unit.workers()))


def reconcile(config: ConfigOption = None) -> None:
    """Compare the mailbox with the ledger, name each gap, mend what is safe. Exit 1 if a gap remains."""
    with explained():
        chosen = settings.read_settings(config)
        store, clock = bootstrap.build_store(chosen), bootstrap.SystemClock()
        gaps: list[Gap] = []
        for source in bootstrap.build_sources(chosen):
            gaps += compare(source, store, clock)
            proved = resolve_uncertain(source, store, clock)
            source.close()
            if proved:
                out.print(f"{proved} uncertain answers were found among the sent mail and count as sent")
    out.print(console.gaps_table(gaps) if gaps else "reconcile: every mail of the mailbox is in the ledger")
    if any(not gap.is_mended for gap in gaps):
        raise typer.Exit(1)


@db_app.command("upgrade")
def db_upgrade(config: ConfigOption = None) -> None:
    """Bring the store's schema to this version."""
    with explained():
        before, after = bootstrap.upgrade_store(settings.read_settings(config))
        out.print(f"store: {before or 'empty'} -> {after}" if before != after else f"store: {after}, nothing to do")
