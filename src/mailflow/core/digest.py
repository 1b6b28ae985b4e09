"""The daily mail to whoever runs the desk: answers that did not go out for sure, and mails that could not be read.

Rule: nothing to tell, nothing sent. Rule: one a day and desk; its Message-ID is made of both, so a second is refused.
"""

from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, formataddr

from mailflow.core.message import Envelope, OutboundMessage
from mailflow.core.reply import LOOP_HEADER, is_sendable
from mailflow.core.storage import OutboxView, QuarantineView

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Troubles:
    failed: Sequence[OutboxView]
    uncertain: Sequence[OutboxView]
    quarantined: Sequence[QuarantineView]

    @property
    def is_empty(self) -> bool:
        return not (self.failed or self.uncertain or self.quarantined)


@dataclass(frozen=True, slots=True)
class DigestHeaders:
    desk_name: str
    desk_address: str
    reverse_path: str
    recipient: str


def digest_text(troubles: Troubles) -> str:
    sections = [
        *_answers("Failed: not sent, and not tried again", "mailflow outbox retry ID, or cancel ID", troubles.failed),
        *_answers(
            "Uncertain: may or may not have gone out",
            "mailflow outbox confirm ID if it arrived, retry ID to send it again, cancel ID to answer yourself",
            troubles.uncertain,
        ),
        *_quarantined(troubles.quarantined),
    ]
    return "\n".join(sections) + "\n"


def compose_digest(troubles: Troubles, headers: DigestHeaders, now: datetime) -> OutboundMessage:
    """Raises ValueError if the recipient is not an address."""
    if not is_sendable(headers.recipient):
        raise ValueError(f"not an address that mail can be sent to: {headers.recipient!r}")
    local, _, domain = headers.desk_address.rpartition("@")
    message_id = f"digest.{now:%Y%m%d}.{local}@{domain}"
    count = len(troubles.failed) + len(troubles.uncertain) + len(troubles.quarantined)
    subject = f"{headers.desk_name}: {count} {'thing' if count == 1 else 'things'} to look at"
    text = digest_text(troubles)
    lines = [
        f"From: {formataddr((headers.desk_name, headers.desk_address))}",
        f"To: <{headers.recipient}>",
        f"Subject: {subject if subject.isascii() else 'mailflow: things to look at'}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{message_id}>",
        "Auto-Submitted: auto-generated",
        f"{LOOP_HEADER}: {headers.desk_address}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        *encodebytes(text.encode("utf-8")).decode("ascii").strip().split("\n"),
        "",
    ]
    return OutboundMessage(
        Envelope(headers.reverse_path, headers.recipient), message_id, subject, "\r\n".join(lines).encode("utf-8"), text
    )


def _answers(title: str, what_to_do: str, entries: Sequence[OutboxView]) -> list[str]:
    if not entries:
        return []
    shown = [
        f"  {one.id}  {one.queued_at:%Y-%m-%d %H:%M} UTC  to {one.recipient} ({one.thread_id or '-'}): {one.error}"
        for one in entries[:MOST_SHOWN]
    ]
    return [f"{title} ({_counted(entries)})", *shown, f"  -> {what_to_do}", ""]


def _quarantined(mails: Sequence[QuarantineView]) -> list[str]:
    if not mails:
        return []
    shown = [f"  {one.inbound_id}  {one.received_at:%Y-%m-%d %H:%M} UTC  {one.error}" for one in mails[:MOST_SHOWN]]
    title = f"Quarantine: mails that could not be dealt with ({_counted(mails)})"
    return [title, *shown, "  -> mailflow quarantine show ID, retry ID", ""]


def _counted(entries: Sequence[object]) -> str:
    return str(len(entries)) if len(entries) <= MOST_SHOWN else f"more than {MOST_SHOWN}"
