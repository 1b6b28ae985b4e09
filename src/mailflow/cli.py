"""The command line: parse the arguments, call one service, print. Help: `mailflow --help`.

Exit codes: 0 done; 1 refused or found wrong, the sentence on standard error says what to do; 2 wrong usage.
"""

import getpass
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mailflow import bootstrap, console, settings
from mailflow.adapters.mail_files import read_mails
from mailflow.core.delivery import OutboxState
from mailflow.core.storage import Unit
from mailflow.errors import MailflowError
from mailflow.services.lines import ErrorLine, classified_line, parsed_line

app = typer.Typer(
    help="The worker behind a partner help desk's mailbox: reads each mail, answers with the correct path or holds it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
threads_app = typer.Typer(help="The threads in the store.", no_args_is_help=True)
outbox_app = typer.Typer(help="Answers on their way out.", no_args_is_help=True)
quarantine_app = typer.Typer(help="Mails that could not be processed.", no_args_is_help=True)
policy_app = typer.Typer(help="What is answered automatically.", no_args_is_help=True)
db_app = typer.Typer(help="The store's schema.", no_args_is_help=True)
for name, group in (
    ("threads", threads_app),
    ("outbox", outbox_app),
    ("quarantine", quarantine_app),
    ("policy", policy_app),
    ("db", db_app),
):
    app.add_typer(group, name=name)

out = Console()
err = Console(stderr=True)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="mailflow.toml; default: the one in this folder, if any")
]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON line a mail (docs/machine-formats.md)")]
PathsArgument = Annotated[
    list[str], typer.Argument(help="files, folders, Maildirs, mboxes; - reads paths from standard input, one a line")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="show at most so many, newest first")]


@contextmanager
def _explained() -> Iterator[None]:
    """Our own errors become one sentence and exit code 1."""
    try:
        yield
    except MailflowError as error:
        err.print(console.plain(f"mailflow: {error}"), style="red")
        raise typer.Exit(1) from None


@contextmanager
def _unit(config: Path | None) -> Iterator[Unit]:
    with _explained():
        store = bootstrap.build_store(settings.read_settings(config))
        with store.unit() as unit:
            yield unit


@contextmanager
def progress(what: str) -> Iterator[Callable[[float, float], None]]:
    """A bar on standard error; call what it gives with (done, total)."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _log_to_stderr(verbose: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("imapclient").setLevel(logging.WARNING)  # it would log mail at DEBUG
    logging.getLogger("mailparser").setLevel(logging.ERROR)


# ---------------------------------------------------------------------- running


@app.command()
def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="deal with what is there, then end")] = False,
    from_: Annotated[
        Path | None, typer.Option("--from", help="read this Maildir or folder of .eml files instead of [imap]")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log more")] = False,
) -> None:
    """Run the worker: read the mailbox, decide, answer, until stopped."""
    _log_to_stderr(verbose)
    with _explained():
        source = bootstrap.build_file_source(from_) if from_ else None
        worker = bootstrap.build_worker(settings.read_settings(config), source=source)
        if once:
            worker.run_once()
            return
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: worker.stop())
        worker.run()


@app.command()
def demo(
    store: Annotated[Path, typer.Option(help="where the demo's store goes")] = Path("var/demo/mailflow.sqlite3"),
) -> None:
    """Start a mail server, send it sample mails, and watch the real worker answer them."""
    from mailflow.demo import run_demo  # the embedded servers are an extra; only this command needs them

    with _explained():
        raise typer.Exit(run_demo(store, out))


# ---------------------------------------------------------------------- looking at mail


@app.command()
def classify(paths: PathsArgument, json: JsonOption = False, config: ConfigOption = None) -> None:
    """What would be done with these mails, and why."""
    with _explained():
        triage = bootstrap.build_triage(settings.read_settings(config))
        _each_mail(
            paths,
            json,
            lambda name, content: classified_line(name, triage.triage(content)),
            console.classified_card,
        )


@app.command()
def parse(paths: PathsArgument, json: JsonOption = False, config: ConfigOption = None) -> None:
    """What is read from these mails."""
    with _explained():
        read = bootstrap.build_reader(settings.read_settings(config))
        _each_mail(
            paths,
            json,
            lambda name, content: parsed_line(name, read(content, None)),
            console.parsed_card,
        )


def _each_mail(
    paths: list[str], as_json: bool, line_of: Callable[[str, bytes], BaseModel], card_of: Callable[[Any], Any]
) -> None:
    """Answer each mail at once; one that fails has its own line and the others go on. Exit 1 if any failed."""
    failures = 0
    for path in _paths(paths):
        with _told(path, as_json) as failed:
            for mail in read_mails(Path(path)):
                with _told(mail.name, as_json) as failed_mail:
                    line = line_of(mail.name, mail.content)
                    _show(line.model_dump_json() if as_json else card_of(line), as_json)
                failures += len(failed_mail)
        failures += len(failed)
    if failures:
        raise typer.Exit(1)


@contextmanager
def _told(file: str, as_json: bool) -> Iterator[list[Exception]]:
    """What fails inside becomes a line of its own and is in the list afterwards."""
    failed: list[Exception] = []
    try:
        yield failed
    except (MailflowError, OSError) as error:
        failed.append(error)
        if as_json:
            _show(ErrorLine(file=file, error=str(error)).model_dump_json(), as_json)
        err.print(console.plain(f"mailflow: {file}: {error}"), style="red")


def _paths(paths: list[str]) -> Iterator[str]:
    for path in paths:
        if path != "-":
            yield path
        else:
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())


def _show(what: Any, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(what + "\n")
        sys.stdout.flush()
    else:
        out.print(what)


# ---------------------------------------------------------------------- the store


@threads_app.command("list")
def threads_list(
    config: ConfigOption = None,
    limit: LimitOption = 50,
    status: Annotated[str | None, typer.Option(help="open, answered, held or ignored")] = None,
) -> None:
    """The threads, newest first."""
    with _unit(config) as unit:
        out.print(console.threads_table(unit.threads(limit, status)))


@threads_app.command("show")
def threads_show(thread_id: int, config: ConfigOption = None) -> None:
    """One thread: its mails, what was decided and why, and what happened when."""
    with _unit(config) as unit:
        story = unit.story(thread_id)
    if story is None:
        _fail(f"there is no thread {thread_id}; `mailflow threads list` shows them")
    else:
        out.print(console.thread_story(story))


@outbox_app.command("list")
def outbox_list(
    config: ConfigOption = None,
    limit: LimitOption = 50,
    state: Annotated[OutboxState | None, typer.Option(help="only these")] = None,
) -> None:
    """Answers and how far they are."""
    with _unit(config) as unit:
        out.print(console.outbox_table(unit.outbox(limit, state)))


@outbox_app.command("retry")
def outbox_retry(entry_id: int, config: ConfigOption = None) -> None:
    """Send a failed or uncertain answer again. Look first whether an uncertain one arrived: it would come twice."""
    with _unit(config) as unit:
        done = unit.retry_outbox(entry_id, datetime.now(UTC), getpass.getuser())
    if not done:
        _fail(f"answer {entry_id} is neither failed nor uncertain; `mailflow outbox list` shows them")
    out.print(f"answer {entry_id} is queued again")


@quarantine_app.command("list")
def quarantine_list(config: ConfigOption = None, limit: LimitOption = 50) -> None:
    """Mails that could not be processed, and why."""
    with _unit(config) as unit:
        out.print(console.quarantine_table(unit.quarantined(limit)))


@quarantine_app.command("show")
def quarantine_show(inbound_id: int, config: ConfigOption = None) -> None:
    """The raw mail, as it came, on standard output."""
    with _unit(config) as unit:
        content = unit.raw(inbound_id)
    if content is None:
        _fail(f"there is no mail {inbound_id}; `mailflow quarantine list` shows them")
    else:
        sys.stdout.buffer.write(content)


@quarantine_app.command("retry")
def quarantine_retry(inbound_id: int, config: ConfigOption = None) -> None:
    """Try a mail again from the start."""
    with _unit(config) as unit:
        done = unit.retry_quarantined(inbound_id, datetime.now(UTC), getpass.getuser())
    if not done:
        _fail(f"mail {inbound_id} is not in quarantine; `mailflow quarantine list` shows them")
    out.print(f"mail {inbound_id} will be tried again")


@db_app.command("upgrade")
def db_upgrade(config: ConfigOption = None) -> None:
    """Bring the store's schema to this version."""
    with _explained():
        before, after = bootstrap.upgrade_store(settings.read_settings(config))
        out.print(f"store: {before or 'empty'} -> {after}" if before != after else f"store: {after}, nothing to do")


# ---------------------------------------------------------------------- the desk's knowledge


@app.command()
def check(config: ConfigOption = None) -> None:
    """Prove playbook, templates, links, examples and model against each other."""
    with _explained():
        problems = bootstrap.check_assets(settings.read_settings(config))
        for problem in problems:
            err.print(console.plain(str(problem)))
        if problems:
            _fail(f"{len(problems)} problems")
        out.print("check: playbook, templates, links, examples and model agree")


@policy_app.command("show")
def policy_show(config: ConfigOption = None) -> None:
    """Every guard and every row on one screen."""
    with _explained():
        guards, rows = bootstrap.policy_tables(settings.read_settings(config))
        out.print(console.guards_view(guards))
        out.print(console.policy_view(rows))


@app.command()
def train(config: ConfigOption = None) -> None:
    """Train the classifier on classifiers/examples and put it in place of the old one."""
    with _explained(), progress("training") as show:
        report = bootstrap.train_model(settings.read_settings(config), show)
    out.print(console.training_view(report))


@app.command()
def evaluate(
    paths: Annotated[list[Path], typer.Argument(help="labelled mails (.jsonl)")], config: ConfigOption = None
) -> None:
    """Compare what the model says of labelled mails with what they are labelled as."""
    with _explained(), progress("evaluating") as show:
        judged = bootstrap.evaluate_model(settings.read_settings(config), paths, show)
    out.print(console.evaluation_view(judged))


@app.command()
def init(path: Annotated[Path, typer.Argument(help="where to write it")] = Path("mailflow.toml")) -> None:
    """Write a commented mailflow.toml to fill in."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(settings.commented_toml())
    except FileExistsError:
        _fail(f"{path} is there already; nothing was written")
    except OSError as error:
        _fail(f"{path}: {error.strerror}")
    out.print(console.plain(f"{path} written; fill in [imap] and [smtp], then `mailflow run --once`"))


def _fail(sentence: str) -> None:
    err.print(console.plain(f"mailflow: {sentence}"), style="red")
    raise typer.Exit(1)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
