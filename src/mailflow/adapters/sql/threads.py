"""Threads and what is known of a mail's past; a decided mail is saved here with all that belongs to it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, literal, select, update

from mailflow.adapters.rows import answer_part, explanation, parsed_document
from mailflow.adapters.sql.search import Search
from mailflow.adapters.sql.session import (
    CLASSIFICATION,
    CORRECTION,
    DECISION,
    DRAFT,
    MESSAGE,
    MUTE,
    NOTE,
    OUTBOX,
    THREAD,
    TOMBSTONE,
    Call,
)
from mailflow.core.classification import Action, Classification
from mailflow.core.conversation import Candidate, Clues, Proof
from mailflow.core.delivery import InboundState, OutboxKind, OutboxState
from mailflow.core.fleet import Role
from mailflow.core.hooks import HookEvent
from mailflow.core.message import Address, OutboundMessage
from mailflow.core.policy import History, SentRecord
from mailflow.core.retention import hashed_id
from mailflow.core.review import DUE_WITHIN, ThreadChanged, more_urgent
from mailflow.core.storage import KnownMail, Outcome

_STATUS = {Action.REPLY: "answered", Action.REVIEW: "held", Action.NONE: "ignored"}
MAX_CANDIDATES = 20
MAX_MERGES = 10
MAX_PARTICIPATING = 30
"""Mails of a thread, newest first, whose senders and recipients count as taking part."""


@dataclass(slots=True)
class _DeskHour:
    """What the desk sent within the hour: read once a unit and counted on, because nobody else decides meanwhile."""

    answers: int
    by_intent: Counter[str]


class Threads(Search):
    _desk_hour: _DeskHour | None = None

    def candidates(self, clues: Clues) -> list[Candidate]:
        named = [
            *((Proof.SIGNED, thread_id) for thread_id in clues.tokens),
            *((Proof.REFERENCE, thread_id) for thread_id in self._threads_of(clues.message_ids)),
            *((Proof.TAG, thread_id) for thread_id in clues.tags),
            *((Proof.SUBJECT, thread_id) for thread_id in self._same_subject(clues)),
        ][:MAX_CANDIDATES]
        found: dict[int, Candidate] = {}
        for proof, thread_id in named:
            candidate = self._candidate(proof, thread_id)
            if candidate is not None:
                found.setdefault(candidate.thread_id, candidate)
        return list(found.values())

    def _threads_of(self, message_ids: Sequence[str]) -> list[int]:
        if not message_ids:
            return []
        rows = self._db.execute(
            select(MESSAGE.c.message_id, MESSAGE.c.thread_id)
            .where(MESSAGE.c.message_id.in_(message_ids))
            .order_by(MESSAGE.c.id.desc())
        )
        thread_of = {row.message_id: row.thread_id for row in rows}
        return [thread_of[one] for one in message_ids if one in thread_of]

    def _same_subject(self, clues: Clues) -> list[int]:
        if not clues.subject_key or not clues.requester:
            return []
        return list(
            self._db.scalars(
                select(THREAD.c.id)
                .where(THREAD.c.requester == clues.requester, THREAD.c.subject_key == clues.subject_key)
                .order_by(THREAD.c.id.desc())
                .limit(1)
            )
        )

    def _candidate(self, proof: Proof, thread_id: int) -> Candidate | None:
        row = self._db.execute(select(THREAD).where(THREAD.c.id == thread_id)).first()
        for _ in range(MAX_MERGES):
            if row is None or row.merged_into is None:
                break
            row = self._db.execute(select(THREAD).where(THREAD.c.id == row.merged_into)).first()
        if row is None or row.merged_into is not None:
            return None
        return Candidate(
            row.id, proof, row.requester, self._participants(row.id), row.status, row.updated_at, row.language
        )

    def _participants(self, thread_id: int) -> frozenset[str]:
        rows = self._db.execute(
            select(MESSAGE.c.from_addr, MESSAGE.c.parsed)
            .where(MESSAGE.c.thread_id == thread_id, MESSAGE.c.direction == "in")
            .order_by(MESSAGE.c.id.desc())
            .limit(MAX_PARTICIPATING)
        )
        return frozenset(
            address.lower()
            for row in rows
            for address in (row.from_addr, *row.parsed.get("to", ()), *row.parsed.get("cc", ()))
        )

    def known(self, message_id: str, dedup_key: str) -> KnownMail:
        gone = select(literal(0), TOMBSTONE.c.dedup_key)
        rows = self._db.execute(
            select(MESSAGE.c.id, MESSAGE.c.dedup_key)
            .where(MESSAGE.c.message_id == message_id)
            .union_all(gone.where(TOMBSTONE.c.message_id_sha256 == hashed_id(message_id)))
        ).all()
        copy_of = next((row.id for row in rows if row.dedup_key == dedup_key), None)
        return KnownMail(copy_of, bool(rows) and copy_of is None)

    def history(self, recipient: Address | None, thread_id: int | None, now: datetime) -> History:
        counted = OUTBOX.c.state.not_in([OutboxState.CANCELLED, OutboxState.FAILED])
        hour, day = now - timedelta(hours=1), now - timedelta(days=1)
        in_thread = self._count(counted & (OUTBOX.c.thread_id == thread_id)) if thread_id else 0
        if self._desk_hour is None:
            of_the_hour = self._db.scalars(select(OUTBOX.c.intents).where(counted, OUTBOX.c.queued_at > hour)).all()
            self._desk_hour = _DeskHour(len(of_the_hour), Counter(one for intents in of_the_hour for one in intents))
        desk, by_intent = self._desk_hour.answers, Counter(self._desk_hour.by_intent)
        status = self._db.scalar(select(THREAD.c.status).where(THREAD.c.id == thread_id)) if thread_id else ""
        is_held = status == "held"
        if recipient is None:
            return History(
                thread_id is not None, is_held, in_thread, sent_by_desk_hour=desk, sent_by_intent_hour=by_intent
            )
        sent = self._db.execute(
            select(OUTBOX.c.queued_at, OUTBOX.c.intents)
            .where(counted, OUTBOX.c.recipient == recipient.addr_spec.lower(), OUTBOX.c.queued_at > day)
            .order_by(OUTBOX.c.queued_at.desc())
        )
        return History(
            is_known_thread=thread_id is not None,
            is_held_thread=is_held,
            answers_in_thread=in_thread,
            sent_to_sender=tuple(SentRecord(row.queued_at, frozenset(row.intents)) for row in sent),
            sent_to_domain_hour=self._count(
                counted & (OUTBOX.c.recipient_domain == recipient.domain) & (OUTBOX.c.queued_at > hour)
            ),
            sent_by_desk_hour=desk,
            sent_by_intent_hour=by_intent,
            muted=self._muted(recipient.addr_spec.lower(), now),
        )

    def _muted(self, address: str, now: datetime) -> str:
        row = self._db.execute(select(MUTE).where(MUTE.c.address == address, MUTE.c.until > now)).first()
        return f"{row.reason} (until {row.until:%Y-%m-%d})" if row else ""

    def open_thread(self, subject: str, clues: Clues, now: datetime) -> int:
        return self._insert_row(
            THREAD,
            subject=subject,
            subject_key=clues.subject_key,
            requester=clues.requester,
            language="",
            status="open",
            queue="review",
            priority="normal",
            created_at=now,
            updated_at=now,
        )

    def save(self, outcome: Outcome, now: datetime) -> None:
        message_id = self._save_message(outcome, now)
        self._save_classification(message_id, outcome.classification)
        decision_id = self._save_decision(message_id, outcome, now)
        if outcome.answer is not None:
            self._enqueue(decision_id, outcome, outcome.answer, now)
        begins_to_wait = self._begins_to_wait(outcome)
        self._update_thread(outcome, now)
        if begins_to_wait:
            self._call_out(HookEvent.HELD, outcome.thread_id, now)
        self._move(InboundState.DONE, outcome.inbound_id, message_id=message_id)

    def _begins_to_wait(self, outcome: Outcome) -> bool:
        """Asked before the thread is changed: whether it waits for a person from here on, and did not before."""
        if not self._listeners or outcome.decision.action is not Action.REVIEW:
            return False
        if outcome.placement.joined is None:
            return True
        return self._db.scalar(select(THREAD.c.status).where(THREAD.c.id == outcome.thread_id)) != "held"

    def _update_thread(self, outcome: Outcome, now: datetime) -> None:
        """Mail that needs no answer changes nothing of a thread that it joined: it closes none and reopens none."""
        read, decision = outcome.understood, outcome.decision
        values: dict[str, Any] = {"version": THREAD.c.version + 1}
        if read.message.language:
            values["language"] = read.message.language
        if outcome.placement.joined is None or decision.action is not Action.NONE:
            primary = outcome.classification.primary
            values |= {
                "status": _STATUS[decision.action],
                "queue": decision.queue,
                "priority": decision.priority,
                "updated_at": now,
                "due_at": now + DUE_WITHIN[decision.priority],
                "intent": primary.intent if primary else "",
                "reason": decision.reasons[0].code if decision.reasons else "",
                "role": (read.sender.role if read.sender.role != "unknown" else outcome.classification.role).value,
                "trust": read.sender.trust.value,
                "partner": read.sender.partner.company if read.sender.partner else "",
                "has_draft": bool(decision.draft),
                "snoozed_until": None,
            }
            if values["status"] == "held" and outcome.placement.joined is not None:
                values |= self._no_less_urgent(outcome.thread_id, decision.priority, values["due_at"])
        self._db.execute(update(THREAD).where(THREAD.c.id == outcome.thread_id).values(values))

    def _no_less_urgent(self, thread_id: int, priority: str, due_at: datetime) -> dict[str, Any]:
        """Of a thread that waits already. Why: whoever reminds us must not wait longer for it."""
        row = self._db.execute(select(THREAD).where(THREAD.c.id == thread_id)).one()
        if row.status != "held":
            return {}
        return {"priority": more_urgent(row.priority, priority), "due_at": min(row.due_at or due_at, due_at)}

    def _save_message(self, outcome: Outcome, now: datetime) -> int:
        message = outcome.understood.message
        from_addr = message.from_.addr_spec if message.from_ else ""
        self._tell(
            now, "worker", "received", f"mail from {from_addr or 'nobody'}", outcome.thread_id, outcome.inbound_id
        )
        if outcome.placement.joined is not None or outcome.placement.suggested is not None:
            self._tell(now, "worker", "placed", outcome.placement.why, outcome.thread_id, outcome.inbound_id)
        files = (one.filename for one in message.attachments)
        name = message.from_.display_name if message.from_ else ""
        message_pk = self._insert_row(
            MESSAGE,
            thread_id=outcome.thread_id,
            suggested_thread_id=outcome.placement.suggested,
            direction="in",
            dedup_key=outcome.dedup_key,
            message_id=message.message_id,
            from_addr=from_addr,
            subject=message.subject,
            date=message.date,
            stored_at=now,
            sha256=outcome.sha256,
            text=message.text,
            parsed=parsed_document(outcome),
        )
        self.index_mail(message_pk, message.subject, name, from_addr, message.text, *files)
        return message_pk

    def _save_classification(self, message_id: int, classification: Classification) -> None:
        primary, runner_up = classification.primary, classification.runner_up
        self._insert_row(
            CLASSIFICATION,
            message_id=message_id,
            model_version=classification.model_version,
            primary_intent=primary.intent if primary else "",
            abstained=classification.abstained,
            intents=[
                {
                    "intent": score.intent,
                    "confidence": round(score.confidence, 4),
                    "evidence": [{"text": one.text, "weight": round(one.weight, 4)} for one in score.evidence],
                }
                for score in classification.intents
            ],
            actions={action.value: round(getattr(classification.actions, action.value), 4) for action in Action},
            runner_up={"intent": runner_up.intent, "confidence": round(runner_up.confidence, 4)} if runner_up else None,
            role=classification.role.value,
            explanation=explanation(classification),
        )

    def _save_decision(self, message_id: int, outcome: Outcome, now: datetime) -> int:
        decision = outcome.decision
        first = decision.reasons[0].sentence if decision.reasons else ""
        self._tell(now, "policy", f"decided {decision.action}", first, outcome.thread_id, outcome.inbound_id)
        return self._insert_row(
            DECISION,
            message_id=message_id,
            action=decision.action.value,
            queue=decision.queue,
            priority=decision.priority,
            reasons=[{"code": reason.code, "sentence": reason.sentence} for reason in decision.reasons],
            answers=[answer_part(part) for part in decision.answers],
            draft=[answer_part(part) for part in decision.draft],
            policy_version=decision.policy_version,
            model_version=decision.model_version,
            decided_at=now,
        )

    def _enqueue(self, decision_id: int, outcome: Outcome, answer: OutboundMessage, now: datetime) -> None:
        recipient = answer.envelope.forward_path.lower()
        self._insert_row(
            OUTBOX,
            kind=OutboxKind.AUTOMATIC,
            decision_id=decision_id,
            thread_id=outcome.thread_id,
            message_id=answer.message_id,
            reverse_path=answer.envelope.reverse_path,
            recipient=recipient,
            recipient_domain=recipient.rpartition("@")[2],
            subject=answer.subject,
            intents=[part.intent for part in outcome.decision.answers],
            content=answer.content,
            state=OutboxState.QUEUED.value,
            attempts=0,
            queued_at=now,
            due_at=outcome.send_at or now,
        )
        self.calls.add(Call(Role.SEND, outcome.send_at))
        if self._desk_hour is not None:
            self._desk_hour.answers += 1
            self._desk_hour.by_intent.update(part.intent for part in outcome.decision.answers)
        self._save_outgoing(outcome.thread_id, answer, "", now)
        self._tell(now, "worker", "queued", f"answer to {recipient}", outcome.thread_id, outcome.inbound_id)

    def _save_outgoing(self, thread_id: int, answer: OutboundMessage, author: str, now: datetime) -> None:
        message_pk = self._insert_row(
            MESSAGE,
            thread_id=thread_id,
            direction="out",
            author=author,
            dedup_key=hashlib.sha256(answer.message_id.encode()).hexdigest(),
            message_id=answer.message_id,
            from_addr=answer.envelope.reverse_path,
            subject=answer.subject,
            date=now,
            stored_at=now,
            text=answer.text,
            parsed={"to": [answer.envelope.forward_path]} | ({"markdown": answer.markdown} if author else {}),
        )
        self.index_mail(message_pk, answer.subject, answer.envelope.forward_path, answer.text)

    def merge_threads(self, thread_id: int, into: int, now: datetime, actor: str) -> bool:
        source = self._db.execute(select(THREAD).where(THREAD.c.id == thread_id)).first()
        target = self._candidate(Proof.SIGNED, into)
        if source is None or source.merged_into is not None or target is None or target.thread_id == thread_id:
            return False
        moved = {"thread_id": target.thread_id}
        for table in (NOTE, CORRECTION):
            self._db.execute(update(table).where(table.c.thread_id == thread_id).values(moved))
        self._db.execute(update(MESSAGE).where(MESSAGE.c.thread_id == thread_id).values(moved))
        self._db.execute(update(OUTBOX).where(OUTBOX.c.thread_id == thread_id).values(moved))
        self._db.execute(
            update(THREAD).where(THREAD.c.id == thread_id).values(merged_into=target.thread_id, status="closed")
        )
        self._merge_drafts(thread_id, target.thread_id, now)
        changed = {"version": THREAD.c.version + 1} | self._waiting_after_merge(source, target.thread_id)
        if not self._run(update(THREAD).where(THREAD.c.id == target.thread_id).values(changed)):
            raise ThreadChanged(f"thread {target.thread_id} was taken away this moment: nothing was merged")
        self._tell(now, actor, "merged", f"went into thread {target.thread_id}", thread_id, None)
        self._tell(now, actor, "merged", f"took over thread {thread_id}", target.thread_id, None)
        return True

    def _waiting_after_merge(self, source: Row[Any], into: int) -> dict[str, Any]:
        """What waits in either waits in both, and is as urgent, due and awake as the one that is more so."""
        if source.status != "held":
            return {}
        target = self._db.execute(select(THREAD).where(THREAD.c.id == into)).one()
        waiting = [source, target] if target.status == "held" else [source]
        asleep = [one.snoozed_until for one in waiting]
        return {
            "status": "held",
            "priority": more_urgent(source.priority, target.priority),
            "due_at": min((one.due_at for one in waiting if one.due_at is not None), default=None),
            "snoozed_until": None if None in asleep else min(asleep),
        }

    def _merge_drafts(self, thread_id: int, into: int, now: datetime) -> None:
        """A thread has one draft: where both have one, the other is a note."""
        begun = self._db.execute(select(DRAFT).where(DRAFT.c.thread_id == thread_id)).first()
        if begun is None:
            return
        if self._db.scalar(select(DRAFT.c.thread_id).where(DRAFT.c.thread_id == into)) is None:
            self._db.execute(update(DRAFT).where(DRAFT.c.thread_id == thread_id).values(thread_id=into))
            return
        text = f"Begun as an answer in thread {thread_id}, before it went into this one:\n\n{begun.markdown}"
        self._insert_row(NOTE, thread_id=into, author=begun.author, at=now, text=text)
        self._db.execute(delete(DRAFT).where(DRAFT.c.thread_id == thread_id))

    def _merged_into(self, thread_id: int) -> list[int]:
        """It and the threads that went into it, and those that went into them."""
        found, newest = [thread_id], [thread_id]
        for _ in range(MAX_MERGES):
            newest = list(self._db.scalars(select(THREAD.c.id).where(THREAD.c.merged_into.in_(newest))))
            if not newest:
                break
            found += newest
        return found
