"""Rows to the values that the services know, and back. Pure."""

from typing import Any

from sqlalchemy import Row

from mailflow.core.classification import Classification
from mailflow.core.delivery import OutboxKind, OutboxState
from mailflow.core.message import MailRef
from mailflow.core.playbook import Audience
from mailflow.core.ports import AnswerPart
from mailflow.core.review import (
    AttachmentView,
    Correction,
    CorrectionView,
    IntentView,
    MailView,
    NeighbourView,
    QueueRow,
)
from mailflow.core.storage import DecidedMail, MessageView, OutboxView, Outcome, ThreadSummary


def mail_ref(row: Row[Any]) -> MailRef:
    return MailRef(row.account, row.mailbox, row.uid_validity, row.uid)


def thread_summary(row: Row[Any]) -> ThreadSummary:
    return ThreadSummary(row.id, row.subject, row.requester, row.status, row.queue, row.updated_at)


def answer_part(part: AnswerPart) -> dict[str, Any]:
    return {
        "intent": part.intent,
        "audience": part.audience.value,
        "template": part.template,
        "branch": part.branch,
        "missing": list(part.missing),
    }


def stored_part(stored: dict[str, Any]) -> AnswerPart:
    return AnswerPart(
        stored["intent"],
        Audience(stored["audience"]),
        stored["template"],
        stored.get("branch", ""),
        tuple(stored.get("missing", ())),
    )


def explanation(classification: Classification) -> dict[str, Any]:
    """Why the classifier said what it said, for people."""
    return {
        "neighbours": [one.document for one in classification.neighbours],
        "nearness": round(classification.nearness, 4),
        "flip": classification.flip,
        "slots": [{"name": slot.name, "text": slot.text} for slot in classification.slots],
    }


def message_view(row: Row[Any]) -> MessageView:
    return MessageView(
        direction=row.direction,
        message_id=row.message_id,
        from_addr=row.from_addr,
        subject=row.subject,
        stored_at=row.stored_at,
        text=row.text,
        intents=tuple((one["intent"], one["confidence"]) for one in row.intents or ()),
        action=row.action or "",
        reasons=tuple(reason["sentence"] for reason in row.reasons or ()),
    )


def queue_row(row: Row[Any]) -> QueueRow:
    return QueueRow(
        id=row.id,
        version=row.version,
        subject=row.subject,
        requester=row.requester,
        partner=row.partner,
        status=row.status,
        queue=row.queue,
        priority=row.priority,
        intent=row.intent,
        reason=row.reason,
        role=row.role,
        trust=row.trust,
        language=row.language,
        assignee=row.assignee,
        has_draft=row.has_draft,
        trouble=row.trouble,
        updated_at=row.updated_at,
        due_at=row.due_at,
        snoozed_until=row.snoozed_until,
    )


def intent_views(intents: list[dict[str, Any]] | None) -> tuple[IntentView, ...]:
    return tuple(
        IntentView(one["intent"], one["confidence"], tuple(each["text"] for each in one.get("evidence", ())))
        for one in intents or ()
    )


def mail_view(row: Row[Any]) -> MailView:
    """Of a message with its classification, decision, ledger row and outbox entry, as far as there are any."""
    parsed, why = row.parsed or {}, row.explanation or {}
    origin, sender = parsed.get("origin", {}), parsed.get("sender", {})
    return MailView(
        id=row.id,
        inbound_id=row.inbound_id,
        direction=row.direction,
        author=row.author,
        message_id=row.message_id,
        from_addr=row.from_addr,
        to=tuple(parsed.get("to", ())),
        cc=tuple(parsed.get("cc", ())),
        subject=row.subject,
        stored_at=row.stored_at,
        text=row.text,
        new_spans=tuple((start, end) for start, end in parsed.get("new_spans", ())),
        attachments=tuple(
            AttachmentView(one["filename"], one["content_type"], one["size"], one["sha256"])
            for one in parsed.get("attachments", ())
        ),
        language=parsed.get("language", ""),
        defects=tuple(one["sentence"] for one in parsed.get("defects", ())),
        origin=(origin.get("kind", ""), origin.get("evidence", "")),
        sender=(sender.get("role", ""), sender.get("trust", ""), sender.get("reason", "")),
        sender_flags=tuple(sender.get("flags", ())),
        partner=sender.get("partner", ""),
        placement=parsed.get("placement", ""),
        facts=tuple(parsed.get("facts", ())),
        suggested_thread_id=row.suggested_thread_id,
        intents=intent_views(row.intents),
        runner_up=(row.runner_up["intent"], row.runner_up["confidence"]) if row.runner_up else None,
        actions=tuple((row.actions or {}).items()),
        abstained=row.abstained or "",
        neighbours=tuple(
            NeighbourView(one["example"], tuple(one["intents"]), one["action"], one["similarity"], one["excerpt"])
            for one in why.get("neighbours", ())
        ),
        flip=why.get("flip", ""),
        slots=tuple((one["name"], one["text"]) for one in why.get("slots", ())),
        action=row.action or "",
        reasons=tuple((reason["code"], reason["sentence"]) for reason in row.reasons or ()),
        draft_parts=tuple(part["template"] for part in row.answers or row.draft or ()),
        policy_version=row.policy_version or "",
        model_version=row.model_version or "",
        answer_state=row.answer_state or "",
    )


def correction_view(row: Row[Any]) -> CorrectionView:
    return CorrectionView(
        row.id,
        row.thread_id,
        Correction(row.message_id, tuple(row.intents), row.action, row.role, row.why),
        tuple(row.predicted),
        row.predicted_action,
        row.author,
        row.at,
    )


def outbox_view(row: Row[Any]) -> OutboxView:
    return OutboxView(
        id=row.id,
        kind=OutboxKind(row.kind),
        thread_id=row.thread_id,
        recipient=row.recipient,
        subject=row.subject,
        state=OutboxState(row.state),
        attempts=row.attempts,
        queued_at=row.queued_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
        message_id=row.message_id,
        error=row.error,
    )


def decided_mail(row: Row[Any]) -> DecidedMail:
    return DecidedMail(
        message_pk=row.id,
        thread_id=row.thread_id,
        message_id=row.message_id,
        from_addr=row.from_addr,
        subject=row.subject,
        intents=tuple((one["intent"], one["confidence"]) for one in row.intents),
        action=row.action,
        reason=row.reasons[0]["sentence"] if row.reasons else "",
        received_at=row.received_at,
        decided_at=row.decided_at,
        answer_state=row.answer_state or "",
        answered_at=row.finished_at,
        answer_message_id=row.answer_message_id or "",
    )


def parsed_document(outcome: Outcome) -> dict[str, Any]:
    """What is shown beside the text: offsets, attachments, and why the mail was taken for what it is."""
    message, origin, sender = outcome.understood.message, outcome.understood.origin, outcome.understood.sender
    return {
        "new_spans": [[span.start, span.end] for span in message.new_spans],
        "content_spans": [[span.start, span.end] for span in message.content_spans],
        "language": message.language,
        "to": [one.addr_spec for one in message.to],
        "cc": [one.addr_spec for one in message.cc],
        "attachments": [
            {"filename": one.filename, "content_type": one.content_type, "size": one.size, "sha256": one.sha256}
            for one in message.attachments
        ],
        "defects": [{"code": defect.code, "sentence": defect.sentence} for defect in message.defects],
        "origin": {"kind": origin.kind.value, "evidence": origin.evidence},
        "sender": {
            "role": sender.role.value,
            "trust": sender.trust.value,
            "reason": sender.reason,
            "flags": list(sender.flags),
            "partner": sender.partner.company if sender.partner else "",
        },
        "placement": outcome.placement.why,
        "facts": sorted(outcome.understood.facts),
    }
