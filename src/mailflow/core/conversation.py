"""Which thread a mail joins: what proves the thread, times who writes. One table, PLACES, and nothing else decides.

A proof says "this is about thread n"; a relation says whether the writer may speak there.

    SIGNED     a Message-ID or plus-address that this desk made and signed: only who got a mail of the thread has it
    REFERENCE  a known Message-ID in References or In-Reply-To; anybody can write one who has seen it
    TAG        [MF-123] in the subject: a guess, numbers are easy to count through
    SUBJECT    the same subject and the same address, nothing else: clients that drop References

Rule: a stranger never joins a thread, whatever he proves; he may be pointed at it ("possible reply to #123").
Rule: automatic mail is filed only by a signed id, and neither opens nor reopens anything.
Why a table and not a score: a sum of points hides which rows can reach the threshold; twenty cells can be read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailflow.core.message import InboundMessage, Origin, OriginKind, Role, Sender, Trust


class Proof(StrEnum):
    SIGNED = "signed id"
    REFERENCE = "reference"
    TAG = "subject tag"
    SUBJECT = "same subject"


class Relation(StrEnum):
    REQUESTER = "requester"
    COLLEAGUE = "colleague"
    """DMARC passed for the requester's own domain, and that is no free-mail domain."""
    PARTICIPANT = "participant"
    """Was addressed or wrote in this thread before."""
    STAFF = "staff"
    """One of ours, proven (D2)."""
    STRANGER = "stranger"


class Place(StrEnum):
    JOIN = "join"
    SUGGEST = "suggest"
    NOTHING = "nothing"


_J, _S, _N = Place.JOIN, Place.SUGGEST, Place.NOTHING
_COLUMNS = (Relation.REQUESTER, Relation.COLLEAGUE, Relation.PARTICIPANT, Relation.STAFF, Relation.STRANGER)
PLACES: dict[Proof, dict[Relation, Place]] = {
    Proof.SIGNED: dict(zip(_COLUMNS, (_J, _J, _J, _J, _S), strict=True)),
    Proof.REFERENCE: dict(zip(_COLUMNS, (_J, _J, _J, _J, _S), strict=True)),
    Proof.TAG: dict(zip(_COLUMNS, (_J, _S, _S, _S, _N), strict=True)),
    Proof.SUBJECT: dict(zip(_COLUMNS, (_S, _N, _N, _N, _N), strict=True)),
}
"""Strongest proof first; the first candidate that may be joined is, else the first that is suggested."""


@dataclass(frozen=True, slots=True)
class Clues:
    """What a mail says of its thread, before anybody looked it up."""

    tokens: tuple[int, ...] = ()
    """Threads whose signed token it carries, best first."""
    message_ids: tuple[str, ...] = ()
    """References newest first, then In-Reply-To."""
    tags: tuple[int, ...] = ()
    subject_key: str = ""
    """'' where the subject is too common to mean anything."""
    requester: str = ""
    """Its author, lower case."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A thread that a mail may belong to, and why it came up."""

    thread_id: int
    proof: Proof
    requester: str
    """addr_spec, lower case."""
    participants: frozenset[str]
    """Everybody who wrote or was addressed there, lower case."""
    status: str
    updated_at: datetime
    language: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a mail goes: into `joined`, or into a thread of its own that may point at `suggested`."""

    joined: Candidate | None = None
    suggested: int | None = None
    why: str = "nothing names a thread"


def relation(message: InboundMessage, sender: Sender, candidate: Candidate) -> Relation:
    """Who the writer is to this thread. A From that our server says is forged is a stranger, whatever it says."""
    address = message.from_.addr_spec.lower() if message.from_ else ""
    if not address or "disproved" in sender.flags:
        return Relation.STRANGER
    if address == candidate.requester:
        return Relation.REQUESTER
    if sender.role is Role.INTERNAL and sender.trust is Trust.KNOWN:
        return Relation.STAFF
    same_domain = address.rpartition("@")[2] == candidate.requester.rpartition("@")[2]
    if same_domain and sender.trust is not Trust.UNAUTHENTICATED and "free_mail" not in sender.flags:
        return Relation.COLLEAGUE
    return Relation.PARTICIPANT if address in candidate.participants else Relation.STRANGER


def place(
    message: InboundMessage,
    origin: Origin,
    sender: Sender,
    candidates: Iterable[Candidate],
    *,
    now: datetime,
    reopen_within: timedelta,
) -> Placement:
    """Where `message` goes. `candidates`: strongest proof first, within one proof the newest evidence first."""
    judged = [(candidate, relation(message, sender, candidate)) for candidate in candidates]
    if origin.kind not in (OriginKind.HUMAN, OriginKind.LIST):
        filed = next((one for one, _ in judged if one.proof is Proof.SIGNED), None)
        return Placement(filed, None, "automatic mail, filed by our signed id" if filed else "automatic mail")
    places = [(PLACES[candidate.proof][who], candidate, who) for candidate, who in judged]
    for verdict in (Place.JOIN, Place.SUGGEST):
        for found, candidate, who in places:
            if found is verdict:
                return _placed(verdict, candidate, who, now, reopen_within)
    return Placement()


def _placed(verdict: Place, candidate: Candidate, who: Relation, now: datetime, reopen_within: timedelta) -> Placement:
    evidence = f"{candidate.proof} of thread {candidate.thread_id}, written by its {who}"
    if verdict is Place.SUGGEST:
        sentence = f"a possible reply to thread {candidate.thread_id}: {candidate.proof}, but written by a {who}"
        return Placement(None, candidate.thread_id, sentence)
    if is_over(candidate, now, reopen_within):
        sentence = f"{evidence}; that thread rested for more than {reopen_within.days} days and is not reopened"
        return Placement(None, candidate.thread_id, sentence)
    return Placement(candidate, None, evidence)


def is_over(candidate: Candidate, now: datetime, reopen_within: timedelta) -> bool:
    """Whether a thread is too old to be reopened. One that waits for a person never is."""
    return candidate.status not in ("open", "held") and now - candidate.updated_at > reopen_within
