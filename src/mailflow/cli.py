"""The command line: parse the arguments, call one service, print. Help: `mailflow --help`.

Exit codes: 0 done; 1 refused or found wrong, the sentence on standard error says what to do; 2 wrong usage.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from mailflow import (
    account_commands,
    bootstrap,
    canned_commands,
    console,
    data_commands,
    doctor_commands,
    learning,
    learning_commands,
    logs,
    policy_commands,
    settings,
    store_commands,
    web_commands,
)
from mailflow.adapters.mail_files import read_mails
from mailflow.command_line import ConfigOption, err, explained, fail, out, progress
from mailflow.core.fleet import ALL_ROLES, Role
from mailflow.core.octets import Octets
from mailflow.errors import MailflowError
from mailflow.services.lines import ErrorLine, classified_line, parsed_line

app = typer.Typer(
    help="The worker behind a partner help desk's mailbox: reads each mail, answers with the correct path or holds it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(policy_commands.policy_app, name="policy")
for name, group in (
    store_commands.GROUPS | canned_commands.GROUPS | learning_commands.GROUPS | account_commands.GROUPS
).items():
    app.add_typer(group, name=name)

JsonOption = Annotated[bool, typer.Option("--json", help="one JSON line a mail (docs/machine-formats.md)")]
PathsArgument = Annotated[
    list[str], typer.Argument(help="files, folders, Maildirs, mboxes; - reads paths from standard input, one a line")
]


@app.callback()
def prepare() -> None:
    """Of commands that look, warnings and worse are heard; `run` says more."""
    logs.configure("console", "warning", token_bytes(32))


def _log(chosen: settings.LogSettings, verbose: bool, key: bytes) -> None:
    logs.configure(chosen.format, "debug" if verbose else chosen.level, key)


# ---------------------------------------------------------------------- running


@app.command()
def run(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="deal with what is there, then end")] = False,
    from_: Annotated[
        Path | None, typer.Option("--from", help="read this Maildir or folder of .eml files instead of [imap]")
    ] = None,
    roles: Annotated[
        list[Role] | None,
        typer.Option("--role", help="only this part: fetch, process or send; may be given again. Default: all of it"),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log more")] = False,
) -> None:
    """Run the worker: read the mailbox, decide, answer, until stopped."""
    with explained():
        read = settings.read_settings(config)
        _log(read.log, verbose, token_bytes(32))  # until the store gives the key by which addresses are hashed
        source = bootstrap.build_file_source(from_) if from_ else None
        chosen = frozenset(roles) if roles else ALL_ROLES
        if chosen != ALL_ROLES and (once or from_):
            fail("--role goes with neither --once nor --from: those do all of it in one process")
        store = bootstrap.build_store(read)
        _log(read.log, verbose, store.key("log"))
        vitals, status_server = bootstrap.build_status_server(read, store, bootstrap.SystemClock())
        worker = bootstrap.build_worker(read, store=store, source=source, roles=chosen, vitals=vitals)
        if once:
            worker.run_once()
            return
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: worker.stop())
        with status_server:
            worker.run()


@app.command()
def demo(
    store: Annotated[Path, typer.Option(help="where the demo's store goes")] = Path("var/demo/mailflow.sqlite3"),
    serve: Annotated[
        bool, typer.Option("--serve", help="open the review desk on it, with a sample login, until Ctrl+C")
    ] = False,
) -> None:
    """Start a mail server, send it sample mails, and watch the real worker answer them."""
    from mailflow.demo import run_demo  # the embedded servers are an extra; only this command needs them

    with explained():
        raise typer.Exit(run_demo(store, out, web_commands.served if serve else None))


app.command("web")(web_commands.web)
store_commands.db_app.command("rekey")(data_commands.rekey)
app.command("backup")(data_commands.backup)
app.command("restore")(data_commands.restore)
app.command("migrate-store")(data_commands.migrate_store)
app.command("purge")(data_commands.purge)
app.command("erase")(data_commands.erase)


app.command("reconcile")(store_commands.reconcile)
app.command("web")(web_commands.web)
app.command("doctor")(doctor_commands.doctor)
app.command("pseudonym")(doctor_commands.pseudonym)


# ---------------------------------------------------------------------- looking at mail


@app.command()
def classify(
    paths: PathsArgument,
    json: JsonOption = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="with the words that spoke for it, the mails like it, what would flip it")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """What would be done with these mails, and why."""
    with explained():
        triage = bootstrap.build_triage(settings.read_settings(config))
        _each_mail(
            paths,
            json,
            lambda name, content: classified_line(name, triage.triage(content)),
            console.explained_card if explain else console.classified_card,
        )


@app.command()
def parse(paths: PathsArgument, json: JsonOption = False, config: ConfigOption = None) -> None:
    """What is read from these mails."""
    with explained():
        read = bootstrap.build_reader(settings.read_settings(config))
        _each_mail(
            paths,
            json,
            lambda name, content: parsed_line(name, read(content, None)),
            console.parsed_card,
        )


def _each_mail(
    paths: list[str], as_json: bool, line_of: Callable[[str, Octets], BaseModel], card_of: Callable[[Any], Any]
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


app.command("answer")(policy_commands.answer)


# ---------------------------------------------------------------------- the desk's knowledge


@app.command()
def check(config: ConfigOption = None) -> None:
    """Prove playbook, templates, links, examples and model against each other."""
    with explained():
        problems = bootstrap.check_assets(settings.read_settings(config))
        for problem in problems:
            err.print(console.plain(str(problem)))
        if problems:
            fail(f"{len(problems)} problems")
        out.print("check: playbook, templates, links, examples and model agree")


@app.command()
def train(
    into: Annotated[
        Path | None, typer.Option("--into", help="leave the working model alone and write this folder")
    ] = None,
    with_corrections: Annotated[
        bool, typer.Option("--with-corrections", help="learn from what specialists said too")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Train the classifier on classifiers/examples, put it in place of the old one, and certify it."""
    with explained(), progress("training") as show:
        report, certificate = learning.train_model(
            settings.read_settings(config), show, into=into, with_corrections=with_corrections
        )
    out.print(console.training_view(report))
    out.print(console.certificate_view(certificate))


@app.command()
def certify(config: ConfigOption = None) -> None:
    """Show on the mails of classifiers/holdout how sure the model must be, so that wrong answers stay rare."""
    with explained(), progress("certifying") as show:
        certificate = learning.certify_model(settings.read_settings(config), show)
    out.print(console.certificate_view(certificate))


@app.command()
def evaluate(
    paths: Annotated[list[Path], typer.Argument(help="labelled mails (.jsonl)")],
    report: Annotated[Path | None, typer.Option("--report", help="write all of it to this file, as HTML")] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="another model's folder, compared on the same mails")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Compare what the desk would do with labelled mails with what they are labelled as (docs/evaluating.md)."""
    with explained(), progress("evaluating") as show:
        assessment = learning.evaluate_model(settings.read_settings(config), paths, show, against=against)
        if report:
            learning.write_report(assessment, report)
    out.print(console.evaluation_view(assessment))
    if report:
        out.print(console.plain(f"{report} written"))


app.command("replay")(learning_commands.replay)


@app.command()
def init(path: Annotated[Path, typer.Argument(help="where to write it")] = Path("mailflow.toml")) -> None:
    """Write a commented mailflow.toml to fill in."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(settings.commented_toml())
    except FileExistsError:
        fail(f"{path} is there already; nothing was written")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    out.print(console.plain(f"{path} written; fill in [imap] and [smtp], then `mailflow run --once`"))


def main() -> None:
    app()


if __name__ == "__main__":
    main()
