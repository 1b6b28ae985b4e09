"""The life of the data: backup, restore, moving a store, purging, erasing, and the keys of raw mail.

The rules stand in adapters/backup.py, adapters/store_copy.py, core/retention.py and adapters/keyring.py.
"""

import getpass
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from mailflow import bootstrap, console, settings
from mailflow.command_line import ConfigOption, err, explained, fail, out
from mailflow.core.retention import Counts, age
from mailflow.services.retention import Retention

_WOULD = "would be taken away"
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="count what would be taken away, and change nothing")]


def backup(
    file: Annotated[Path, typer.Argument(help="where to write it; it must not exist")], config: ConfigOption = None
) -> None:
    """Write the whole store into one file, while workers go on."""
    from mailflow.adapters.backup import make_backup

    with explained():
        url = settings.read_settings(config).store.url
        made = make_backup(url, file, bootstrap.SystemClock().now(), version("mailflow"), _told)
    out.print(console.plain(f"{file}: {made.rows} rows, checked"))


def restore(
    file: Annotated[Path, typer.Argument(help="made by `mailflow backup`")],
    resume: Annotated[
        bool, typer.Option("--resume", help="the store stood still since the backup: go on where it was")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Copy a backup into the empty store of the settings; nothing that may have gone out before goes out by itself."""
    from mailflow.adapters.backup import restore_backup

    with explained():
        url, now = settings.read_settings(config).store.url, bootstrap.SystemClock().now()
        restored = restore_backup(url, file, now, getpass.getuser(), resume=resume, progress=_told)
    out.print(console.plain(f"restored {restored.backup.rows} rows of {restored.backup.at:%Y-%m-%d %H:%M} UTC"))
    if restored.doubted is not None:
        counts = asdict(restored.doubted)
        out.print(console.counts_table(counts, "not taken up where the backup left it"))


def migrate_store(
    from_url: Annotated[str, typer.Argument(metavar="FROM", help="as sqlite:///mailflow.sqlite3")],
    to_url: Annotated[str, typer.Argument(metavar="TO", help="an empty database, as postgresql+psycopg://...")],
) -> None:
    """Move a desk: copy a whole store into an empty database, of the other kind too. Stop the workers first."""
    from mailflow.adapters.store_copy import move_store

    with explained():
        rows = move_store(from_url, to_url, bootstrap.SystemClock().now(), _told)
    out.print(
        console.plain(
            f"{rows} rows copied and compared; now let [store] url name the new store, and start nothing on the old"
        )
    )


def purge(
    older_than: Annotated[str, typer.Option("--older-than", help="365d, 52w or 2y; at least 30d")],
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
) -> None:
    """Take away threads whose last mail is older, with everything of them but what guards against answering again."""
    try:
        wanted = age(older_than)
    except ValueError as error:
        fail(f"--older-than: {error}")
    with explained():
        counts = _retention(config, dry_run).purge(wanted)
    out.print(console.counts_table(counts.as_dict, _WOULD if dry_run else "taken away"))
    _say_what_is_not_overwritten(counts)


def erase(
    address: Annotated[str, typer.Argument(help="of the requester")],
    dry_run: DryRunOption = False,
    receipts: Annotated[bool, typer.Option("--receipts", help="only show the receipts of earlier erasures")] = False,
    config: ConfigOption = None,
) -> None:
    """Take one requester away: what was written by and to them; what others wrote stays without them."""
    if "@" not in address:
        fail(f"{address} is not a mail address")
    with explained():
        if address.strip().lower() in settings.read_settings(config).desk.addresses:
            fail(f"{address} is the desk itself: every answer would go")
        retention = _retention(config, dry_run)
        found = retention.receipts(address) if receipts else [retention.erase(address, version("mailflow"))]
    if not found:
        out.print(console.plain(f"nothing of {address} was erased yet"))
    for one in found:
        is_counted_only = dry_run and not receipts
        out.print(console.counts_table(one.counts.as_dict, _WOULD) if is_counted_only else console.receipt_view(one))
    if not receipts:
        _say_what_is_left(found[0].counts)


def _say_what_is_left(counts: Counts) -> None:
    if left := counts.left:
        _warn(f"{left} mails or answers are being worked on this moment: run it again")
    _say_what_is_not_overwritten(counts)
    err.print("not reached: the mails on the mail server, its logs, and backups", style="dim")


def _say_what_is_not_overwritten(counts: Counts) -> None:
    if counts.not_overwritten:
        _warn(
            "what was taken away still lies in the log beside the store's file, because a program reads there all "
            "the time: end it, or wait, and run it again"
        )


def _warn(sentence: str) -> None:
    err.print(f"mailflow: {sentence}", style="yellow")


def rekey(config: ConfigOption = None) -> None:
    """Seal all raw mail with the first key of [store] encryption_key_file; the others only open."""
    with explained():
        store = bootstrap.build_store(settings.read_settings(config))
        if not store.keys.current:
            fail("[store] encryption_key_file is not set: there is no key to seal with")
        store.require_keys()
        sealed = store.reseal(store.keys, lambda done: _told("sealed anew", done))
    out.print(f"{sealed} slices sealed anew; the key {store.keys.current} seals all raw mail")


def _retention(config: Path | None, dry_run: bool) -> Retention:
    store = bootstrap.build_store(settings.read_settings(config))
    return Retention(store, bootstrap.SystemClock(), getpass.getuser(), dry_run=dry_run)


def _told(table: str, rows: int) -> None:
    err.print(console.plain(f"{table}: {rows}"), style="dim")
