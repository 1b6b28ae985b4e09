"""What every command needs: where to print, how errors are told, the store, the options that come again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mailflow import bootstrap, console, settings
from mailflow.core.review_store import ReviewUnit
from mailflow.core.storage import Store, Unit
from mailflow.errors import MailflowError

out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="mailflow.toml; default: the one in this folder, if any")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="show at most so many, newest first")]


@contextmanager
def explained() -> Iterator[None]:
    """Our own errors become one sentence and exit code 1."""
    try:
        yield
    except MailflowError as error:
        err.print(console.plain(f"mailflow: {error}"), style="red")
        raise typer.Exit(1) from None


@contextmanager
def open_store(config: Path | None) -> Iterator[Store]:
    with explained():
        yield bootstrap.build_store(settings.read_settings(config))


@contextmanager
def open_unit(config: Path | None) -> Iterator[Unit]:
    with open_store(config) as store, store.unit() as unit:
        yield unit


@contextmanager
def open_view(config: Path | None) -> Iterator[ReviewUnit]:
    """Only to look."""
    with explained(), bootstrap.build_store(settings.read_settings(config)).view() as unit:
        yield unit


@contextmanager
def progress(what: str) -> Iterator[Callable[[float, float], None]]:
    """A bar on standard error; call what it gives with (done, total)."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def fail(sentence: str) -> NoReturn:
    err.print(console.plain(f"mailflow: {sentence}"), style="red")
    raise typer.Exit(1)
