"""The two machine formats: one JSON line a mail, printed by `mailflow parse --json` and `mailflow classify --json`.

They are contracts (docs/machine-formats.md, tests/services/test_lines.py): keys are added, never renamed or removed.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mailflow.core.storage import Understood
from mailflow.services.triage import Triaged


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True)


class AttachmentLine(_Line):
    filename: str
    content_type: str
    size: int


class OriginLine(_Line):
    kind: str
    evidence: str


class FailureLine(_Line):
    addr_spec: str
    is_permanent: bool
    diagnostic: str


class DefectLine(_Line):
    code: str
    sentence: str


class ParsedLine(_Line):
    """What was read. Identifiers are without angle brackets, `date` is ISO 8601 or null."""

    file: str
    from_addr: str
    subject: str
    date: datetime | None
    message_id: str
    in_reply_to: list[str]
    references: list[str]
    text: str
    new_text: str
    attachments: list[AttachmentLine]
    origin: OriginLine
    bounced: list[str]
    language: str
    defects: list[DefectLine]
    failures: list[FailureLine]


class IntentLine(_Line):
    intent: str
    confidence: float
    evidence: list[str]


class ReasonLine(_Line):
    code: str
    sentence: str


class SlotLine(_Line):
    name: str
    text: str


class NeighbourLine(_Line):
    example: str
    intents: list[str]
    action: str
    similarity: float
    excerpt: str


class ClassifiedLine(_Line):
    """What would be done by a desk that is live. `replies` and `template` are empty unless `action` is reply.

    `withheld`: why the answer waits for a person though, for now; '' where it would go out.
    """

    file: str
    message_id: str
    role: str
    trust: str
    intents: list[IntentLine]
    action: Literal["reply", "review", "none"]
    replies: list[str]
    template: list[str]
    reasons: list[ReasonLine]
    withheld: str
    slots: list[SlotLine]
    flip: str
    neighbours: list[NeighbourLine]


class ErrorLine(_Line):
    """In place of the line of a mail that could not be read at all."""

    file: str
    error: str


def parsed_line(file: str, read: Understood) -> ParsedLine:
    message = read.message
    return ParsedLine(
        file=file,
        from_addr=message.from_.addr_spec if message.from_ else "",
        subject=message.subject,
        date=message.date,
        message_id=message.message_id,
        in_reply_to=list(message.in_reply_to),
        references=list(message.references),
        text=message.text,
        new_text=message.new_text,
        attachments=[
            AttachmentLine(filename=one.filename, content_type=one.content_type, size=one.size)
            for one in message.attachments
        ],
        origin=OriginLine(kind=read.origin.kind.value, evidence=read.origin.evidence),
        bounced=[one.addr_spec for one in read.origin.bounced],
        failures=[
            FailureLine(addr_spec=one.addr_spec, is_permanent=one.is_permanent, diagnostic=one.diagnostic)
            for one in read.origin.bounced
        ],
        language=message.language,
        defects=[DefectLine(code=one.code, sentence=one.sentence) for one in message.defects],
    )


def classified_line(file: str, triaged: Triaged) -> ClassifiedLine:
    sender, classification, decision = triaged.understood.sender, triaged.classification, triaged.decision
    role = sender.role if sender.role != "unknown" else classification.role
    return ClassifiedLine(
        file=file,
        message_id=triaged.understood.message.message_id,
        role=role.value,
        trust=sender.trust.value,
        intents=[
            IntentLine(
                intent=score.intent,
                confidence=round(score.confidence, 4),
                evidence=[one.text for one in score.evidence],
            )
            for score in classification.intents
        ],
        action=decision.action.value,
        replies=[part.intent for part in decision.answers],
        template=[part.template for part in decision.answers],
        reasons=[ReasonLine(code=reason.code, sentence=reason.sentence) for reason in decision.reasons],
        withheld=triaged.withheld,
        slots=[SlotLine(name=slot.name, text=slot.text) for slot in classification.slots],
        flip=classification.flip,
        neighbours=[NeighbourLine.model_validate(one.document) for one in classification.neighbours],
    )
