"""What a desk forgets, and what it must not forget.

Purge: threads whose last mail is older than the time that was chosen, with everything of them.
    Not yet: threads that wait for a person, and those with an answer that waits, failed or is uncertain; counted.
Erase: one requester, by his address.
    What he wrote and what was written to him goes as a whole: raw mail, text, decision, answer, notes on it.
    What others wrote in the same threads, or about him anywhere, stays without him: the raw mail goes, because it
    quotes him; of the text only what its writer wrote newly is kept; his address and his names become [erased].
    An answer to him that has not gone out is not sent any more. A mail of his that still waits to be decided, and a
    thread with an answer to him that is on its way this moment, are left alone and counted: run it again.
    So is what could not be overwritten yet in the log beside an SQLite file.

Rule: what guards against answering an old mail again stays, as hashes: its UID and the SHA-256 of its bytes in the
ledger, a tombstone with the hashes of its Message-ID and of what makes it itself. They show to whoever has the mail
that it was here, and nothing else to anybody. (The guard `too_old` stands behind them.)
Rule: no event of the audit trail is deleted. Its sentence becomes (purged) or (erased); when, who and what kind stay.
The database lets nothing else be changed, and that only in a transaction of retention (0006_retention.py).
Rule: a few threads a transaction, so that nobody waits long; each is complete in itself. What was cut off is finished
by running it again.
Rule: a receipt names counts, time, actor, and the address only as a hash under a key of this store; whoever knows the
address can have it compared (`mailflow erase --receipts`), nobody can read it out.

Out of reach: the mailbox on the server, the mail server's own logs, and backups. Say so to whoever asks.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

PURGED, ERASED = "(purged)", "(erased)"
"""What stands in place of a sentence of the audit trail."""
REPLACEMENT = "[erased]"
LEAST_AGE = timedelta(days=30)
"""Younger threads are never purged. Why: budgets, bounces and proofs of sending look back for days."""
_SHORTEST_NAME = 3
_UNITS = {"d": 1, "w": 7, "y": 365}
_AGE = re.compile(r"(\d{1,5})([dwy])")


@dataclass(frozen=True, slots=True)
class Counts:
    """What was taken away. `plus` adds up the batches."""

    threads: int = 0
    mails: int = 0
    """That came in; with them decision, classification, text."""
    answers: int = 0
    """Of ours, to him or in those threads."""
    mails_of_others: int = 0
    """That stay without him."""
    raw_mails: int = 0
    notes: int = 0
    """Notes, drafts, corrections, calls to other systems."""
    audit_sentences: int = 0
    mutes: int = 0
    left: int = 0
    """What may not be taken away yet: see above."""
    not_overwritten: int = 0
    """1: SQLite's log beside the store still holds what was taken away, because somebody read it all the time."""

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(Counts)))

    @property
    def as_dict(self) -> dict[str, int]:
        return {one.name: getattr(self, one.name) for one in fields(Counts)}


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of an erasure for whoever asked for it."""

    id: int
    at: datetime
    actor: str
    address_hmac: str
    counts: Counts
    version: str
    """Of mailflow."""


def age(text: str) -> timedelta:
    """365d, 52w, 2y. Raises ValueError with what is allowed."""
    found = _AGE.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is not a time like 365d, 52w or 2y")
    wanted = timedelta(days=int(found[1]) * _UNITS[found[2]])
    if wanted < LEAST_AGE:
        raise ValueError(f"{text} is less than {LEAST_AGE.days} days: what is younger still guards answers")
    return wanted


def address_hmac(key: bytes, address: str) -> str:
    return hmac.new(key, address.strip().lower().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def hashed_id(message_id: str) -> str:
    """What a tombstone keeps of a Message-ID."""
    return hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()


# ---------------------------------------------------------------------- what stays of others' mails


@dataclass(frozen=True, slots=True)
class Person:
    """Who is erased: his address, and the names under which he wrote."""

    address: str
    """Lower case."""
    names: tuple[str, ...] = ()

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds him in a text: his address as a whole, his names as whole words."""
        long_enough = {one.strip() for one in self.names if len(one.strip()) >= _SHORTEST_NAME}
        names = [r"\s+".join(map(re.escape, one.split())) for one in sorted(long_enough, key=len, reverse=True)]
        written = [rf"(?<![\w.+-]){re.escape(self.address)}(?![\w-]|\.\w)", *(rf"(?<!\w){one}(?!\w)" for one in names)]
        return re.compile("|".join(written), re.IGNORECASE)


def without(text: str, person: re.Pattern[str]) -> str:
    return person.sub(REPLACEMENT, text)


def names_him(value: object, person: re.Pattern[str]) -> bool:
    """Whether any text in a JSON value does."""
    return any(person.search(text) for text in _texts(value))


def cleaned(value: object, person: re.Pattern[str]) -> object:
    """A JSON value with every text in it without him, keys left alone."""
    match value:
        case str():
            return without(value, person)
        case list():
            return [cleaned(one, person) for one in value]
        case dict():
            return {key: cleaned(one, person) for key, one in value.items()}
        case _:
            return value


def _texts(value: object) -> Iterable[str]:
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from _texts(one)
        case dict():
            for one in value.values():
                yield from _texts(one)


def own_words(text: str, spans: Sequence[Sequence[int]]) -> str:
    """What the writer of a mail wrote newly: the parts of `text` at `spans`; all of it where none are known."""
    if not spans:
        return text
    return "\n".join(text[start:end].strip("\n") for start, end in spans)


def kept_evidence(intents: Sequence[Mapping[str, object]], text: str) -> list[dict[str, object]]:
    """Intents of a classification, of their evidence only what is still in `text`."""
    kept = []
    for intent in intents:
        evidence = intent.get("evidence")
        still = [one for one in evidence if one.get("text", "") in text] if isinstance(evidence, list) else []
        kept.append({**intent, "evidence": still})
    return kept
