"""How mailflow shows things to a person in a terminal: values in, rich renderables out. Prints nothing itself.

Rule: text of strangers is data. It is put into Text objects, never parsed for markup, and control characters are
taken out, so that a mail cannot drive the terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mailflow.core.accounts import SignIn
from mailflow.core.binomial import Interval
from mailflow.core.certify import Certificate
from mailflow.core.delivery import OutboxState
from mailflow.core.evaluation import KINDS, Assessment, Evaluation, changes, differences, figures, verdicts
from mailflow.core.findings import Status
from mailflow.core.fleet import WorkerRecord
from mailflow.core.hooks import HookView
from mailflow.core.partner import Partner
from mailflow.core.replay import ReplayReport
from mailflow.core.retention import Receipt as ErasureReceipt
from mailflow.core.review import Account, CorrectionView
from mailflow.core.storage import (
    DecidedMail,
    Mute,
    OutboxView,
    QuarantineView,
    ThreadStory,
    ThreadSummary,
)
from mailflow.services.doctor import Result
from mailflow.services.lines import ClassifiedLine, ParsedLine
from mailflow.services.reconcile import Gap

if TYPE_CHECKING:
    from mailflow.adapters.spacy_training import TrainingReport

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
COLOURS = {"reply": "green", "review": "yellow", "none": "dim"}
VERBS = {"reply": "answer", "review": "hold", "none": "ignore"}


def plain(value: str, style: str = "") -> Text:
    return Text(_CONTROLS.sub("\ufffd", value), style=style)


def short(value: str, length: int) -> str:
    line = " ".join(value.split())
    return line if len(line) <= length else line[: length - 1] + "\u2026"


def instant(value: datetime | None) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if value else ""


def intents_text(intents: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {confidence:.2f}" for name, confidence in intents) or "-"


def classified_card(line: ClassifiedLine) -> RenderableType:
    grid = new_grid(
        ("sender", f"{line.role}, {line.trust}"),
        ("intents", intents_text((one.intent, one.confidence) for one in line.intents)),
        ("answers", ", ".join(line.template) or "-"),
        *([("waits", line.withheld)] if line.withheld else []),
        *((slot.name, slot.text) for slot in line.slots),
    )
    reasons = [plain(f"  - {reason.sentence}  [{reason.code}]") for reason in line.reasons]
    evidence = [
        plain(f"  {one.intent}: \u201c{short(words, 160)}\u201d", "italic")
        for one in line.intents
        for words in one.evidence[:1]
    ]
    verdict = Text(VERBS[line.action].upper(), style=f"bold {COLOURS[line.action]}")
    return Panel(Group(verdict, grid, *reasons, *evidence), title=plain(line.file), title_align="left")


def explained_card(line: ClassifiedLine) -> RenderableType:
    """The card, and all that the classifier gives for its reasons."""
    words = new_table("intent", "what spoke for it")
    for one in line.intents:
        for n, said in enumerate(one.evidence):
            words.add_row("" if n else one.intent, plain(short(said, 200)))
    alike = new_table("alike in training", "", "intents", "action", "how it begins")
    for near in line.neighbours:
        alike.add_row(near.example, f"{near.similarity:.2f}", ", ".join(near.intents), near.action, plain(near.excerpt))
    return Group(classified_card(line), words, Text(), alike, Text(), plain(line.flip))


def parsed_card(line: ParsedLine) -> RenderableType:
    grid = new_grid(
        ("from", line.from_addr),
        ("subject", line.subject),
        ("date", line.date.isoformat() if line.date else "-"),
        ("message-id", line.message_id),
        ("origin", f"{line.origin.kind}: {line.origin.evidence}"),
        ("language", line.language or "-"),
        ("attachments", ", ".join(f"{one.filename} ({one.size} B)" for one in line.attachments) or "-"),
        *(("bounced", f"{failed.addr_spec} {failed.diagnostic}".strip()) for failed in line.failures),
        *(("defect", defect.sentence) for defect in line.defects),
    )
    body = Panel(plain(line.new_text), title="new text", title_align="left", border_style="dim")
    return Panel(Group(grid, body), title=plain(line.file), title_align="left")


def threads_table(threads: Sequence[ThreadSummary]) -> Table:
    table = new_table("id", "updated", "status", "queue", "requester", "subject")
    for one in threads:
        table.add_row(
            str(one.id),
            instant(one.updated_at),
            one.status,
            one.queue,
            plain(short(one.requester, 40)),
            plain(short(one.subject, 60)),
        )
    return table


def thread_story(story: ThreadStory) -> RenderableType:
    parts: list[RenderableType] = []
    for message in story.messages:
        arrow = "\u2190" if message.direction == "in" else "\u2192"
        grid = new_grid(
            ("message-id", message.message_id),
            *([("intents", intents_text(message.intents))] if message.action else []),
            *([("decision", VERBS[message.action])] if message.action else []),
            *(("because", reason) for reason in message.reasons),
        )
        title = plain(f"{arrow} {instant(message.stored_at)}  {message.from_addr}  {short(message.subject, 60)}")
        parts.append(Panel(Group(grid, Text(), plain(message.text)), title=title, title_align="left"))
    lines = new_table("when", "who", "what", "")
    for line in story.lines:
        lines.add_row(instant(line.at), line.actor, line.kind, plain(line.sentence))
    head = plain(f"Thread {story.summary.id}: {story.summary.subject} ({story.summary.status})", "bold")
    return Group(head, *parts, lines)


def outbox_table(entries: Sequence[OutboxView]) -> Table:
    table = new_table("id", "thread", "state", "tries", "queued", "due", "finished", "recipient", "subject", "error")
    for one in entries:
        table.add_row(
            str(one.id),
            str(one.thread_id or one.kind),
            one.state.value,
            str(one.attempts),
            instant(one.queued_at),
            instant(one.due_at) if one.state is OutboxState.QUEUED else "",
            instant(one.finished_at),
            plain(one.recipient),
            plain(short(one.subject, 40)),
            plain(one.error),
        )
    return table


def workers_table(workers: Sequence[WorkerRecord]) -> Table:
    table = new_table("worker", "does", "since", "last heard of")
    for one in workers:
        table.add_row(plain(one.id), ", ".join(sorted(one.roles)), instant(one.started_at), instant(one.seen_at))
    return table


def gaps_table(gaps: Sequence[Gap]) -> Table:
    table = new_table("gap", "UID", "mended", "what")
    for one in gaps:
        table.add_row(one.kind, str(one.uid or ""), "yes" if one.is_mended else "no", plain(one.sentence))
    return table


def corrections_table(corrections: Sequence[CorrectionView]) -> Table:
    table = new_table("mail", "thread", "when", "who", "the model said", "a person says", "why")
    for one in corrections:
        said = one.correction
        table.add_row(
            str(said.message_id),
            str(one.thread_id),
            instant(one.at),
            plain(one.author),
            f"{', '.join(one.predicted) or '-'} ({one.predicted_action})",
            f"{', '.join(said.intents) or '-'} ({said.action})",
            plain(said.why),
        )
    return table


def replay_view(report: ReplayReport) -> RenderableType:
    """The sums, and a row for each decision that would change."""
    sums = new_grid(
        ("before", report.before),
        ("after", report.after),
        ("mails", str(report.mails)),
        *((change.value, str(count)) for change, count in report.counts.items()),
        ("machines answered", str(report.loops)),
        ("most to one sender a day", str(report.most_to_one_sender)),
        ("as people said, before", f"{report.agreed_before} of {report.corrected}"),
        ("as people said, after", f"{report.agreed_after} of {report.corrected}"),
    )
    table = new_table("thread", "from", "subject", "change", "before", "after", "why")
    for row in report.rows:
        table.add_row(
            str(row.thread_id),
            plain(short(row.from_addr, 30)),
            plain(short(row.subject, 40)),
            f"{row.change}{', a machine' if row.may_loop else ''}",
            " ".join((row.before.action.value, *row.before.templates)),
            " ".join((row.after.action.value, *row.after.templates)),
            plain(short(row.after.reason, 60)),
        )
    return Group(sums, table) if report.rows else Group(sums, plain("no decision would change"))


def accounts_table(accounts: Sequence[Account]) -> Table:
    table = new_table("name", "shown as", "role", "may sign in", "time zone")
    for one in accounts:
        table.add_row(
            plain(one.name), plain(one.display_name), one.role.value, "yes" if one.is_active else "no", one.time_zone
        )
    return table


def tokens_table(tokens: Sequence[SignIn]) -> Table:
    table = new_table("id", "for", "since", "last used", "until")
    for one in tokens:
        times = instant(one.created_at), instant(one.seen_at), instant(one.expires_at)
        table.add_row(one.token_sha256[:12], plain(one.name), *times)
    return table


def hooks_table(calls: Sequence[HookView]) -> Table:
    table = new_table("id", "receiver", "event", "thread", "state", "tries", "since", "error")
    for one in calls:
        table.add_row(
            str(one.id),
            plain(one.receiver),
            one.event.value,
            str(one.thread_id),
            one.state.value,
            str(one.attempts),
            instant(one.at),
            plain(one.error),
        )
    return table


def counts_table(counts: Mapping[str, int], what: str) -> Table:
    table = new_table(what, "how many")
    for name, count in counts.items():
        table.add_row(name.replace("_", " "), str(count))
    return table


def receipt_view(receipt: ErasureReceipt) -> Text:
    """To be sent to whoever asked for the erasure; it holds no address."""
    counted = (f"{name.replace('_', ' ')}: {count}" for name, count in receipt.counts.as_dict.items() if count)
    return plain(
        f"receipt {receipt.id} of mailflow {receipt.version}\n"
        f"erased {receipt.at:%Y-%m-%d %H:%M:%S} UTC by {receipt.actor}\n"
        f"address, as a keyed hash: {receipt.address_hmac}\n"
        f"{', '.join(counted) or 'nothing was here'}"
    )


def mutes_table(mutes: Sequence[Mute]) -> Table:
    table = new_table("address", "since", "until", "why")
    for one in mutes:
        table.add_row(plain(one.address), instant(one.since), instant(one.until), plain(one.reason))
    return table


def partners_table(partners: Sequence[Partner]) -> Table:
    table = new_table("company", "kind", "tier", "region", "orders from", "domains")
    for one in partners:
        route = one.distributor or one.route.value
        table.add_row(*map(plain, (one.company, one.kind, one.tier, one.region, route, ", ".join(one.domains))))
    return table


def quarantine_table(mails: Sequence[QuarantineView]) -> Table:
    table = new_table("id", "received", "mailbox", "uid", "size", "tries", "why")
    for one in mails:
        table.add_row(
            str(one.inbound_id),
            instant(one.received_at),
            one.ref.mailbox,
            str(one.ref.uid),
            str(one.size),
            str(one.attempts),
            plain(one.error),
        )
    return table


def evaluation_view(assessment: Assessment) -> RenderableType:
    """Figures with their intervals, the answers that were wrong, and how another model differs."""
    ours, theirs = assessment.ours, assessment.theirs
    table = new_table("", "", "95 %", "count", "")
    for figure in figures(ours.judged, assessment.draws):
        count = f"{figure.top} of {figure.bottom}"
        table.add_row(figure.name, _share(figure.value), _interval(figure.interval), count, figure.of)
    counted = new_grid(*((verdict.value, str(count)) for verdict, count in verdicts(ours.judged).items() if count))
    notes = [plain(note, "yellow") for note in (_calibration_note(assessment),) if note]
    parts: list[RenderableType] = [_evaluated(ours), Text(), table, Text(), counted, *notes]
    wrong = [one for one in ours.judged if one.verdict.is_wrong_answer]
    if wrong:
        listed = new_table("wrongly answered", "wanted", "answered", "P(reply)", "subject")
        for one in wrong:
            wanted = f"{one.label.action}: {', '.join(one.label.intents)}"
            reply = f"{one.classification.actions.reply:.2f}"
            answered = ", ".join(one.answered)
            listed.add_row(plain(one.label.name), wanted, answered, reply, plain(short(one.label.subject, 60)))
        parts += [Text(), listed]
    return Group(*parts, *([Text(), _comparison(assessment, theirs)] if theirs else []))


def _evaluated(ours: Evaluation) -> RenderableType:
    certificate = ours.certificate.sentence if ours.certificate else "none"
    return new_grid(("model", ours.model_version), ("mails", str(len(ours.judged))), ("certificate", certificate))


def _calibration_note(assessment: Assessment) -> str:
    if not (assessment.is_calibration and assessment.ours.certificate):
        return ""
    return "The certificate was made on some of these very mails: what is new to the model is not new to its threshold."


def _comparison(assessment: Assessment, theirs: Evaluation) -> RenderableType:
    ours = assessment.ours
    table = new_table("", f"model {ours.model_version}", f"model {theirs.model_version}", "difference", "95 %", "")
    for one in differences(ours.judged, theirs.judged, assessment.draws):
        proved = "proved" if one.is_proved else ""
        values = map(_share, (one.ours, one.theirs, one.value))
        table.add_row(one.name, *values, _interval(one.interval), proved)
    changed = changes(ours.judged, theirs.judged)
    kinds = [(kind, str(sum(one.kind == kind for one in changed))) for kind in KINDS]
    return Group(table, Text(), new_grid(("decisions that differ", str(len(changed))), *kinds))


def certificate_view(certificate: Certificate | None) -> RenderableType:
    if certificate is None:
        return plain("no certificate: classifiers/holdout holds no mails (docs/evaluating.md)", "yellow")
    shown = ", ".join(f"{intent} from {threshold:.2f}" for intent, threshold in certificate.per_intent.items())
    return new_grid(
        ("certificate", certificate.sentence),
        ("by itself", shown or "no intent"),
        ("refused", f"{len(certificate.refused)} intents: too few held-out mails, or too many of them wrong"),
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _interval(interval: Interval) -> str:
    return f"{interval.low:.1%} to {interval.high:.1%}"


def training_view(report: TrainingReport) -> RenderableType:
    return new_grid(
        ("model", report.version),
        ("mails", f"{report.mails} by {len(report.authors)} authors"),
        ("primary right", f"{report.primary_accuracy:.1%} of mails by unseen authors"),
        ("intent micro-F1", f"{report.intent_micro_f1:.3f}"),
        ("action right", f"{report.action_accuracy:.1%}"),
    )


def day_table(mails: Sequence[DecidedMail], waited: dict[str, float]) -> Table:
    """The live table of the demo, a line a mail. `waited`: Message-ID -> seconds from delivery to answer."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, share in (("from", 3), ("subject", 4), ("intents", 5), ("", None), ("because", 6), ("answer", None)):
        table.add_column(name, ratio=share, no_wrap=True, overflow="ellipsis")
    table.add_column("after", justify="right", no_wrap=True)
    for mail in mails:
        seconds = waited.get(mail.message_id)
        table.add_row(
            plain(mail.from_addr),
            plain(" ".join(mail.subject.split())),
            intents_text(mail.intents[:2]),
            Text(VERBS[mail.action], style=COLOURS[mail.action]),
            plain(mail.reason),
            mail.answer_state or "-",
            f"{seconds:.2f} s" if seconds is not None else "",
        )
    return table


_STATUS_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "red", Status.SKIPPED: "dim"}


def checked_view(result: Result) -> RenderableType:
    """One check of the doctor, told as soon as it is done; so its columns have a fixed width."""
    finding = result.finding
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=7)
    grid.add_column(width=18, overflow="fold")
    grid.add_column(overflow="fold")
    grid.add_row(
        Text(finding.status.value, style=_STATUS_COLOURS[finding.status]), plain(result.name), plain(finding.found)
    )
    if finding.to_do:
        grid.add_row("", Text("what to do", style="dim"), plain(finding.to_do))
    return grid


def new_table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def new_grid(*rows: tuple[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(Text(name, style="dim"), plain(value))
    return grid
