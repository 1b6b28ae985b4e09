"""What the services ask of the outside world. Each adapter fulfils one of these and knows none of the others.

Why Protocols: a fake is a few lines, and a service cannot reach what it was never given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.message import MailRef, OutboundMessage, RawMessage
from mailflow.core.playbook import Audience


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a mailbox was read: every UID up to `last_uid` under `uid_validity` has its row."""

    uid_validity: int
    last_uid: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Mails of one mailbox and the cursor that holds once they are stored, both to be committed together."""

    messages: tuple[RawMessage, ...]
    cursor: Cursor | None
    """None for sources that have no cursor, because they move what was read."""


class Disposition(StrEnum):
    PROCESSED = "processed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Survey:
    """What a mailbox holds now."""

    uid_validity: int
    uids: tuple[int, ...]
    """Ascending."""
    last_uid: int
    """The highest that was ever given out under this UIDVALIDITY, as far as the server tells."""


class Source(Protocol):
    """A mailbox: IMAP, a Maildir, a folder of .eml files. Reading changes nothing on it."""

    account: str
    mailbox: str

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """All mail after `cursor` (read or unread), in small batches.

        A changed UIDVALIDITY makes everything new. Raises ConnectionFailed, LoginRefused.
        """
        ...

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        """Mark these as dealt with on the server (move or keyword). Harmless when repeated or when they are gone."""
        ...

    def survey(self) -> Survey | None:
        """None for sources that keep no UIDs: what lies in them is what has not been dealt with. As `fetch` raises."""
        ...

    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        """Those of `uids` (ascending) that still exist, without moving the cursor. As `fetch` raises."""
        ...

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        """Which of our own mails lie in the account's folder of sent mail. As `fetch` raises."""
        ...

    def wait(self, timeout: timedelta) -> bool:
        """Block until something may have arrived (True) or `timeout` has passed (False). Raises ConnectionFailed."""
        ...

    def interrupt(self) -> None:
        """End a `wait` soon, from another thread."""
        ...

    def close(self) -> None:
        """Let go of the connection; never raises. The next call connects anew."""
        ...


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The server's 250 after DATA."""

    reply_code: int
    reply: str


class Submission(Protocol):
    """Hands one message to the mail server (RFC 6409)."""

    def submit(self, message: OutboundMessage) -> Acceptance:
        """Send it now, one recipient.

        Raises TemporaryRefusal (4yz, or lost before DATA began), PermanentRefusal (5yz),
        OutcomeUnknown (lost after DATA began), LoginRefused, ConnectionFailed (no connection: nothing was sent).
        """
        ...

    def close(self) -> None: ...


class Classifier(Protocol):
    @property
    def version(self) -> str: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    def classify(self, mails: Sequence[ClassifierInput]) -> list[Classification]:
        """One classification a mail, in order. Pure: the same mails give the same answers."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """One intent answered for one audience by one template."""

    intent: str
    audience: Audience
    template: str
    branch: str = ""
    """Which branch of it (playbook.BRANCHES); '' for all, 'ask' for the question which."""
    missing: tuple[str, ...] = ()
    """Slots that the answer asks for, because the mail does not name them."""


class Closing(StrEnum):
    """Who stands behind an answer: its last lines must not say `automatic` where a person sends it."""

    AUTOMATIC = "automatic"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Letter:
    """What an answer is made of: a section a part, in order, for one reader."""

    parts: tuple[AnswerPart, ...]
    """One or more, all of one audience (D1)."""
    greeting_name: str = ""
    """May be hostile, as may the subject."""
    subject: str = ""
    language: str = "en"
    """The reader's, '' if unknown; English where not every part is there in it."""
    closing: Closing = Closing.AUTOMATIC


@dataclass(frozen=True, slots=True)
class RenderedAnswer:
    text: str
    html: str
    language: str = "en"
    """Of the words."""
    markdown: str = ""
    """What both were made of, for a person to go on writing."""


class Renderer(Protocol):
    def render(self, letter: Letter) -> RenderedAnswer:
        """The answer as text and HTML of the same words. Raises AssetError."""
        ...

    def written(self, markdown: str, subject: str, language: str) -> RenderedAnswer:
        """What a person wrote, in the same two forms. Raises AssetError for Markdown that has no plain-text form."""
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...


class TokenProvider(Protocol):
    """Access tokens for one mailbox (OAuth 2.0), in place of a password. May be used from several threads."""

    def token(self) -> str:
        """One that holds for some minutes yet; cheap while it does. Raises LoginRefused, ConnectionFailed."""
        ...

    def refuse(self, token: str) -> None:
        """A mail server did not take this one: the next `token` is a new one."""
        ...

    @property
    def expires_at(self) -> datetime | None:
        """Until when the token in hand holds (UTC); None where there is none, or nobody told.

        In the past: no new one could be had, or nobody has asked for one since; `token` tells which.
        """
        ...
