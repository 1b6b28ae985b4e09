"""What the REST interface takes and says. Its own values, so that those inside may change without breaking a client.

Rule: frozen, and no key beside the ones that are said: a misspelt key is an error, not silence.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from mailflow.core.accounts import SignIn
from mailflow.core.canned import Canned
from mailflow.core.delivery import OutboxKind, OutboxState
from mailflow.core.numbers import Numbers
from mailflow.core.review import AccountRole, Box, CorrectionView, MailView, QueueRow, ThreadView
from mailflow.core.storage import OutboxView, QuarantineView
from mailflow.web import actions
from mailflow.web.filters import MOST_ID

Line = Annotated[str, StringConstraints(max_length=actions.MOST_LINE)]
Passage = Annotated[str, StringConstraints(max_length=actions.MOST_TEXT)]
Id = Annotated[int, Field(ge=1, le=MOST_ID)]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class Problem(Value):
    """RFC 9457."""

    model_config = ConfigDict(frozen=True, extra="allow")
    type: str
    title: str
    status: int
    detail: str


# ---------------------------------------------------------------------- what is taken


class SeenBody(Value):
    """The state that was looked at. A thread that changed since is left as it is: 409 says what is new."""

    version: int = Field(ge=0, le=MOST_ID, description="of the thread, as it was read")
    seen_at: AwareDatetime | None = Field(
        default=None, description="when it was read: then one's own changes since do not stand in the way"
    )

    @property
    def seen(self) -> actions.Seen:
        return actions.Seen(self.version, self.seen_at)


class ApproveBody(SeenBody):
    shown: Line = Field(description="of the draft that was read: nobody sends a text that he was not shown")


class WhyBody(SeenBody):
    why: Line = ""


class UndoBody(Value):
    version: int = Field(ge=0, le=MOST_ID, description="of the thread after what is taken back")
    asleep_until: AwareDatetime | None = Field(default=None, description="`snoozed_until` before it")


class ReasonBody(SeenBody):
    why: Line = Field(min_length=1, description="for whoever takes it over")


class SendBody(SeenBody):
    markdown: Passage
    known_at: AwareDatetime | None = Field(
        default=None, description="`at` of the draft that it began with; null where there was none"
    )


class AssignBody(SeenBody):
    assignee: Line = Field(description="name of an account, empty for nobody")


class SnoozeBody(SeenBody):
    until: Line = Field(description=f"{', '.join(actions.SNOOZES)}, or 2026-03-02T09:00 in the account's time zone")


class MergeBody(Value):
    into: Id


class NoteBody(Value):
    text: Passage


class MoveBody(Value):
    to: Id


class CorrectBody(Value):
    intents: tuple[Line, ...] = Field(max_length=50, description="the first is the primary; none: none of ours")
    action: Literal["reply", "review", "none"]
    role: Literal["partner", "internal", "customer", "prospect", "unknown"] = "unknown"
    why: Annotated[str, StringConstraints(max_length=1_000)] = ""


class DraftBody(Value):
    markdown: Passage
    known_at: AwareDatetime | None = Field(
        default=None, description="`at` of the draft that it began with; null where there was none"
    )


class PreviewBody(Value):
    markdown: Passage


class CannedBody(Value):
    name: Line
    fields: dict[Line, Passage] = Field(default_factory=dict, max_length=50)
    known_at: AwareDatetime | None = Field(
        default=None, description="`at` of the draft that it replaces; null where there was none"
    )


class Chosen(Value):
    thread_id: Id
    version: int = Field(ge=0, le=MOST_ID)


class BulkBody(Value):
    action: Line = Field(description=", ".join(actions.BULK))
    threads: tuple[Chosen, ...] = Field(min_length=1, max_length=actions.MOST_AT_ONCE)
    value: Line = ""


class ViewBody(Value):
    query: Annotated[str, StringConstraints(max_length=1_000)] = Field(description="as in the address of the queue")


class NewAccount(Value):
    name: Line
    display_name: Line = ""
    role: AccountRole = AccountRole.SPECIALIST
    time_zone: Line = "UTC"
    password: Annotated[str, StringConstraints(max_length=1_000)] | None = Field(
        default=None, description="null for one that signs in elsewhere"
    )


class ChangedAccount(Value):
    """What is null stays as it is."""

    display_name: Line | None = None
    role: AccountRole | None = None
    time_zone: Line | None = None
    is_active: bool | None = None


class ChangedMe(Value):
    time_zone: Line


class NewToken(Value):
    what_for: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    days: int = Field(default=90, ge=1, le=366)


# ---------------------------------------------------------------------- what is said


class DoneOut(Value):
    thread_id: int
    sentence: str
    entry_id: int | None = Field(description="the answer that is on its way; POST /outbox/{id}/cancel stops it")


class LeftOut(Value):
    thread_id: int
    why: str


class BulkOut(Value):
    done: int
    left: tuple[LeftOut, ...]


class ThreadRowOut(Value):
    id: int
    version: int
    subject: str
    requester: str
    partner: str
    status: str
    queue: str
    priority: str
    intent: str
    reason: str
    role: str
    trust: str
    language: str
    assignee: str
    has_draft: bool
    trouble: str
    updated_at: datetime
    due_at: datetime | None
    snoozed_until: datetime | None


class ThreadsOut(Value):
    threads: tuple[ThreadRowOut, ...]
    next: str | None = Field(description="give it as `after` for the next page")


class PresentOut(Value):
    present: tuple[str, ...] = Field(description="accounts that look at it now")


class CountsOut(Value):
    boxes: dict[Box, int]
    outbox: int
    quarantine: int
    most: int = Field(description="a count of this much means: this many or more")


class IntentOut(Value):
    intent: str
    confidence: float
    evidence: tuple[str, ...]


class NeighbourOut(Value):
    example: str
    intents: tuple[str, ...]
    action: str
    similarity: float
    excerpt: str


class AttachmentOut(Value):
    filename: str
    content_type: str
    size: int
    sha256: str


class OriginOut(Value):
    kind: str
    evidence: str


class SenderOut(Value):
    role: str
    trust: str
    why: str
    flags: tuple[str, ...]


class ReasonOut(Value):
    code: str
    sentence: str


class GuessOut(Value):
    intent: str
    confidence: float


class SlotOut(Value):
    name: str
    value: str


class MailOut(Value):
    id: int
    direction: str
    author: str
    message_id: str
    from_addr: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    stored_at: datetime
    text: str
    new_spans: tuple[tuple[int, int], ...] = Field(description="what of `text` is new, as [start, end)")
    attachments: tuple[AttachmentOut, ...]
    language: str
    defects: tuple[str, ...]
    origin: OriginOut
    sender: SenderOut
    partner: str
    placement: str
    facts: tuple[str, ...]
    suggested_thread_id: int | None
    intents: tuple[IntentOut, ...]
    runner_up: GuessOut | None
    actions: dict[str, float]
    abstained: str
    neighbours: tuple[NeighbourOut, ...]
    slots: tuple[SlotOut, ...]
    action: str
    reasons: tuple[ReasonOut, ...]
    draft_parts: tuple[str, ...]
    policy_version: str
    model_version: str
    answer_state: str

    @classmethod
    def of(cls, mail: MailView) -> Self:
        same = {name: getattr(mail, name) for name in _SAME if name in cls.model_fields}
        role, trust, why = mail.sender
        said: dict[str, Any] = {
            "origin": OriginOut(kind=mail.origin[0], evidence=mail.origin[1]),
            "sender": SenderOut(role=role, trust=trust, why=why, flags=mail.sender_flags),
            "runner_up": GuessOut(intent=mail.runner_up[0], confidence=mail.runner_up[1]) if mail.runner_up else None,
            "actions": dict(mail.actions),
            "slots": tuple(SlotOut(name=name, value=value) for name, value in mail.slots),
            "reasons": tuple(ReasonOut(code=code, sentence=sentence) for code, sentence in mail.reasons),
        }
        return cls.model_validate(same | said)


_OTHERWISE = {"origin", "sender", "runner_up", "actions", "slots", "reasons"}
_SAME = frozenset(MailOut.model_fields) - _OTHERWISE


class NoteOut(Value):
    author: str
    at: datetime
    text: str


class SavedDraftOut(Value):
    author: str
    at: datetime
    markdown: str
    canned: str


class TrailOut(Value):
    at: datetime
    actor: str
    kind: str
    sentence: str


class ThreadOut(Value):
    row: ThreadRowOut
    mails: tuple[MailOut, ...]
    notes: tuple[NoteOut, ...]
    draft: SavedDraftOut | None
    trail: tuple[TrailOut, ...]
    present: tuple[str, ...]
    read_at: datetime = Field(description="give it back as `seen_at`")

    @classmethod
    def of(cls, view: ThreadView, now: datetime) -> Self:
        return cls(
            row=row_out(view.row),
            mails=tuple(map(MailOut.of, view.mails)),
            notes=tuple(map(NoteOut.model_validate, view.notes)),
            draft=SavedDraftOut.model_validate(view.draft) if view.draft else None,
            trail=tuple(map(TrailOut.model_validate, view.trail)),
            present=view.present,
            read_at=now,
        )


def row_out(row: QueueRow) -> ThreadRowOut:
    return ThreadRowOut.model_validate(row)


class PreparedOut(Value):
    markdown: str
    recipient: str
    subject: str
    language: str
    canned: str
    by: str = Field(description="who has begun it; empty where mailflow prepared it, or nobody did")
    at: datetime | None = Field(description="when it was kept; give it back as `known_at`")
    shown: str = Field(description="says which text it is; give it back to approve it")


class PreviewOut(Value):
    text: str
    html: str = Field(description="a whole document, as it will arrive")


class CannedOut(Value):
    name: str
    title: str
    intents: tuple[str, ...]
    audience: str
    fields: dict[str, str] = Field(description="name: what is filled in")

    @classmethod
    def of(cls, name: str, canned: Canned) -> Self:
        return cls(
            name=name,
            title=canned.title,
            intents=canned.intents,
            audience=canned.audience.value,
            fields=canned.fields,
        )


class AnswerOut(Value):
    id: int
    kind: OutboxKind
    thread_id: int | None
    recipient: str
    subject: str
    state: OutboxState
    attempts: int
    queued_at: datetime
    due_at: datetime = Field(description="it leaves then at the earliest, and may be cancelled until")
    finished_at: datetime | None
    message_id: str
    error: str

    @classmethod
    def of(cls, entry: OutboxView) -> Self:
        return cls.model_validate(entry)


class OutboxOut(Value):
    answers: tuple[AnswerOut, ...]


class QuarantinedOut(Value):
    id: int
    received_at: datetime
    attempts: int
    size: int
    error: str

    @classmethod
    def of(cls, mail: QuarantineView) -> Self:
        return cls(
            id=mail.inbound_id,
            received_at=mail.received_at,
            attempts=mail.attempts,
            size=mail.size,
            error=mail.error,
        )


class QuarantineOut(Value):
    mails: tuple[QuarantinedOut, ...]


class CorrectionOut(Value):
    id: int
    thread_id: int
    mail_id: int
    intents: tuple[str, ...]
    action: str
    role: str
    why: str
    predicted: tuple[str, ...]
    predicted_action: str
    author: str
    at: datetime

    @classmethod
    def of(cls, one: CorrectionView) -> Self:
        said = one.correction
        return cls(
            id=one.id,
            thread_id=one.thread_id,
            mail_id=said.message_id,
            intents=said.intents,
            action=said.action,
            role=said.role,
            why=said.why,
            predicted=one.predicted,
            predicted_action=one.predicted_action,
            author=one.author,
            at=one.at,
        )


class CorrectionsOut(Value):
    corrections: tuple[CorrectionOut, ...]


class DayOut(Value):
    day: date
    mails: dict[str, int]


class ShareOut(Value):
    name: str
    mails: dict[str, int]


class CountOut(Value):
    name: str
    count: int


class SpreadOut(Value):
    count: int
    median: float | None
    p95: float | None


class AgreementOut(Value):
    intent: str
    corrected: int
    agreed: int


class BinOut(Value):
    low: float
    mails: int
    agreed: int


class NumbersOut(Value):
    since: date
    until: date
    mails: int
    by_day: tuple[DayOut, ...]
    by_intent: tuple[ShareOut, ...]
    held_by_reason: tuple[CountOut, ...]
    automation: float | None
    time_to_answer: SpreadOut
    time_to_person: SpreadOut
    corrected: int = Field(description="mails of which people said something")
    agreed: int = Field(description="of those, with the intents that the model said")
    right_actions: int = Field(description="of those, with which was done what people say")
    agreement_by_intent: tuple[AgreementOut, ...]
    wrong_answers: int
    reopened: int
    answered_threads: int
    reliability: tuple[BinOut, ...]
    queue_age: tuple[CountOut, ...]

    @classmethod
    def of(cls, found: Numbers) -> Self:
        return cls(
            since=found.since,
            until=found.until,
            mails=found.mails,
            by_day=tuple(DayOut(day=day, mails=of) for day, of in found.by_day),
            by_intent=tuple(ShareOut(name=name, mails=of) for name, of in found.by_intent),
            held_by_reason=_counts(found.held_by_reason),
            automation=found.automation,
            time_to_answer=SpreadOut.model_validate(found.time_to_answer),
            time_to_person=SpreadOut.model_validate(found.time_to_person),
            corrected=found.corrected,
            agreed=found.agreed,
            right_actions=found.right_actions,
            agreement_by_intent=tuple(
                AgreementOut(intent=intent, corrected=corrected, agreed=agreed)
                for intent, corrected, agreed in found.agreement_by_intent
            ),
            wrong_answers=found.wrong_answers,
            reopened=found.reopened,
            answered_threads=found.answered_threads,
            reliability=tuple(map(BinOut.model_validate, found.reliability)),
            queue_age=_counts(found.queue_age),
        )


def _counts(rows: tuple[tuple[str, int], ...]) -> tuple[CountOut, ...]:
    return tuple(CountOut(name=name, count=count) for name, count in rows)


class AccountOut(Value):
    name: str
    display_name: str
    role: AccountRole
    is_active: bool
    time_zone: str


class AccountsOut(Value):
    accounts: tuple[AccountOut, ...]


class MeOut(Value):
    account: AccountOut
    signed_in_by: str
    may: tuple[str, ...] = Field(description="permissions")


class TokenOut(Value):
    id: str = Field(description="not the token itself, which is stored nowhere")
    what_for: str
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, token: SignIn) -> Self:
        return cls(
            id=token.token_sha256[:16],
            what_for=token.name,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )


class TokensOut(Value):
    tokens: tuple[TokenOut, ...]


class NewTokenOut(Value):
    token: str = Field(description="shown this once")


class SavedViewOut(Value):
    id: int
    name: str
    query: str


class SavedViewsOut(Value):
    views: tuple[SavedViewOut, ...]


class NewsOut(Value):
    newest: int = Field(description="give it as `after` next time")
    threads: tuple[int, ...] = Field(description="threads that something happened to")
