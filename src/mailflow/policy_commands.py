"""The commands that tell what is answered, why, and in which words: policy show, policy explain, answer."""

from pathlib import Path
from typing import Annotated

import typer

from mailflow import bootstrap, console, policy_views, settings
from mailflow.adapters.mail_files import MailFile, read_mails
from mailflow.command_line import ConfigOption, explained, fail, out
from mailflow.core.playbook import Audience

policy_app = typer.Typer(help="What is answered automatically, and why.", no_args_is_help=True)

MailArgument = Annotated[
    Path, typer.Argument(help="an .eml file, or a folder, Maildir or mbox of which the first is taken")
]


@policy_app.command("show")
def policy_show(config: ConfigOption = None) -> None:
    """Every guard, every row, and how many automatic answers they let out at most."""
    with explained():
        guards, rows, bounds = bootstrap.policy_tables(settings.read_settings(config))
        out.print(policy_views.guards_view(guards))
        out.print(policy_views.policy_view(rows))
        out.print(policy_views.bounds_view(bounds))


@policy_app.command("explain")
def policy_explain(path: MailArgument, config: ConfigOption = None) -> None:
    """The whole decision about a mail as a receipt: what was asked, what decided, what would have changed it."""
    with explained():
        read, mail = settings.read_settings(config), _first(path)
        triage = bootstrap.build_triage(read)
        out.print(policy_views.receipt_view(mail.name, triage.explain(mail.content)))


def answer(
    path: MailArgument,
    audience: Annotated[Audience | None, typer.Option(help="for this reader, whatever the mail proves")] = None,
    lang: Annotated[str | None, typer.Option(help="in this language (ISO 639-1), if every part is there in it")] = None,
    eml: Annotated[Path | None, typer.Option(help="write the whole mail here, as it would be sent")] = None,
    html: Annotated[Path | None, typer.Option(help="write its HTML part here, to look at it in a browser")] = None,
    config: ConfigOption = None,
) -> None:
    """The answer to a mail, or the draft that a specialist would find. Nothing is sent."""
    with explained():
        read, mail = settings.read_settings(config), _first(path)
        triage = bootstrap.build_triage(read)
        preview = triage.preview(
            mail.content,
            bootstrap.build_renderer(bootstrap.find_assets(read), triage.playbook),
            desk_name=read.desk.name,
            audience=audience,
            language=lang,
        )
    if preview.answer is None:
        fail(f"{path}: there is no answer: {preview.decision.reasons[0].sentence}")
    out.print(policy_views.preview_view(preview))
    if html:
        _write(html, preview.answer.html.encode("utf-8"))
    if eml and preview.message:
        _write(eml, preview.message.content)


def _first(path: Path) -> MailFile:
    mail = next(read_mails(path), None)
    if mail is None:
        fail(f"{path}: there is no mail here")
    return mail


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    out.print(console.plain(f"{path} written"))
