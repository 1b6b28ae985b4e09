"""Fakes, smaller than what they replace, and builders of the values that flow. Shipped: others may test with them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mailflow.core.classification import ActionScores, Classification, ClassifierInput, IntentScore
from mailflow.core.message import Address, InboundMessage, MailRef, OutboundMessage, RawMessage, Role, Span
from mailflow.core.playbook import Defaults, Rollout, SendBudget
from mailflow.core.ports import Acceptance, Batch, Cursor, Disposition, Letter, RenderedAnswer, Survey

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DESK = "partnersupport@gitlab.com"


@dataclass(slots=True)
class FrozenClock:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


@dataclass(slots=True)
class MemorySource:
    """A mailbox in a list. `deliver` puts a mail in; what is acknowledged leaves it."""

    account: str = "desk@test"
    mailbox: str = "INBOX"
    uid_validity: int = 1
    inbox: dict[int, bytes] = field(default_factory=dict)
    acknowledged: list[tuple[int, Disposition]] = field(default_factory=list)
    last_uid: int = 0
    sent: frozenset[str] = frozenset()
    """Message-IDs in the folder of sent mail."""

    def deliver(self, content: bytes) -> None:
        self.last_uid += 1
        self.inbox[self.last_uid] = content

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        after = cursor.last_uid if cursor and cursor.uid_validity == self.uid_validity else 0
        for uid in sorted(uid for uid in self.inbox if uid > after):
            ref = MailRef(self.account, self.mailbox, self.uid_validity, uid)
            yield Batch((RawMessage(ref, self.inbox[uid], NOON),), Cursor(self.uid_validity, uid))

    def survey(self) -> Survey:
        return Survey(self.uid_validity, tuple(sorted(self.inbox)), self.last_uid)

    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        for uid in uids:
            if uid in self.inbox:
                ref = MailRef(self.account, self.mailbox, self.uid_validity, uid)
                yield Batch((RawMessage(ref, self.inbox[uid], NOON),), None)

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        return self.sent & set(message_ids)

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        for ref in refs:
            if ref.uid_validity == self.uid_validity and self.inbox.pop(ref.uid, None) is not None:
                self.acknowledged.append((ref.uid, disposition))

    def wait(self, timeout: timedelta) -> bool:
        return False

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class ScriptedSubmission:
    """Accepts everything, unless `errors` has something to raise first; keeps what it accepted in `sent`."""

    errors: list[Exception] = field(default_factory=list)
    sent: list[OutboundMessage] = field(default_factory=list)

    def submit(self, message: OutboundMessage) -> Acceptance:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(message)
        return Acceptance(250, "2.0.0 queued")

    def close(self) -> None: ...


@dataclass(slots=True)
class FixedClassifier:
    """Says the same of every mail, or what `of` says of it."""

    answer: Classification
    of: Callable[[ClassifierInput], Classification] | None = None
    version: str = "fixed"
    labels: tuple[str, ...] = ()

    def classify(self, mails: Sequence[ClassifierInput]) -> list[Classification]:
        return [self.of(mail) if self.of else self.answer for mail in mails]


class PlainRenderer:
    def render(self, letter: Letter) -> RenderedAnswer:
        text = "\n".join(f"[{part.template}]" for part in letter.parts)
        return RenderedAnswer(text, f"<p>{text}</p>", markdown=text)

    def written(self, markdown: str, subject: str, language: str) -> RenderedAnswer:
        return RenderedAnswer(markdown, f"<p>{markdown}</p>", language, markdown)


def defaults(**changes: Any) -> Defaults:
    """Those of a live desk with modest thresholds; `changes` by the names of its fields."""
    values: dict[str, Any] = {
        "kill_switch": False,
        "rollout": Rollout.LIVE,
        "canary_share": 0.1,
        "read_languages": ("en",),
        "answer_languages": (),
        "min_confidence": 0.5,
        "min_further_confidence": 0.5,
        "min_reply_probability": 0.6,
        "min_ignore_probability": 0.6,
        "sure_ignore_probability": 0.95,
        "max_pathless_doubt": 0.15,
        "max_age_days": 14,
        "silent_intents": ("no_request",),
        "hold_if": (),
        "send_budget": SendBudget(
            per_thread=1,
            per_sender_and_intent_3_hours=2,
            per_sender_day=5,
            per_domain_hour=20,
            per_template_hour=60,
            desk_hour=200,
        ),
    }
    return Defaults(**values | changes)


def classification(
    *intents: tuple[str, float], reply: float = 0.9, review: float = 0.05, none: float = 0.05, abstained: str = ""
) -> Classification:
    return Classification(
        intents=tuple(IntentScore(intent, confidence) for intent, confidence in intents),
        runner_up=None,
        actions=ActionScores(reply, review, none),
        role=Role.PARTNER,
        model_version="fixed",
        abstained=abstained,
    )


def inbound(
    *,
    message_id: str = "q1@partner.example",
    from_: str | None = "ann@partner.example",
    name: str = "Ann Example",
    reply_to: tuple[str, ...] = (),
    return_path: str | None = None,
    to: tuple[str, ...] = (DESK,),
    cc: tuple[str, ...] = (),
    subject: str = "A question",
    text: str = "How do we get a licence for our lab?",
    date: datetime | None = NOON,
    references: tuple[str, ...] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> InboundMessage:
    whole = (Span(0, len(text)),)
    return InboundMessage(
        message_id=message_id,
        from_=Address(name, from_) if from_ else None,
        reply_to=tuple(Address("", one) for one in reply_to),
        return_path=return_path,
        to=tuple(Address("", one) for one in to),
        cc=tuple(Address("", one) for one in cc),
        subject=subject,
        date=date,
        in_reply_to=references[-1:],
        references=references,
        text=text,
        new_spans=whole,
        content_spans=whole,
        attachments=(),
        language="en",
        headers=headers,
    )


def raw_mail(body: str = "How do we get a licence for our lab?", **headers: str) -> bytes:
    """RFC 5322 bytes; `message_id="x@y"` becomes Message-ID: <x@y>."""
    fields = {
        "From": "Ann Example <ann@partner.example>",
        "To": DESK,
        "Subject": "A question",
        "Date": "Mon, 02 Mar 2026 11:59:00 +0000",
        "Message-ID": "<q1@partner.example>",
    }
    for key, value in headers.items():
        name = "-".join(part.capitalize() for part in key.strip("_").split("_")).replace("-Id", "-ID")
        fields[name] = f"<{value}>" if name in ("Message-ID", "In-Reply-To") else value
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return (head + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + body + "\r\n").encode()
