"""The mail that flows: bytes in (RawMessage), understood (InboundMessage), answered (OutboundMessage). All frozen.

Message identifiers (RFC 5322, 3.6.4) are held without their angle brackets, everywhere.
Offsets are in characters of `InboundMessage.text`.
Why offsets: trimming is a view; nothing of what a person wrote is ever deleted.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mailflow.core.octets import Octets
from mailflow.core.partner import Partner


@dataclass(frozen=True, slots=True)
class MailRef:
    """Where a mail lies: the IMAP identity of RFC 9051, 2.3.1.1. Other sources make up stable numbers."""

    account: str
    mailbox: str
    uid_validity: int
    uid: int


@dataclass(frozen=True, slots=True)
class RawMessage:
    ref: MailRef
    content: Octets
    internal_date: datetime | None = None
    size: int | None = None
    """Size on the server in octets, where it was larger than what was fetched; None: `content` is all of it."""

    @property
    def is_truncated(self) -> bool:
        return self.size is not None and self.size > len(self.content)


@dataclass(frozen=True, slots=True)
class Address:
    display_name: str
    addr_spec: str

    @property
    def domain(self) -> str:
        return self.addr_spec.rpartition("@")[2].lower()

    @property
    def mailbox(self) -> str:
        """The address in lower case without its `+detail` (RFC 5233): where the mail really goes."""
        local, _, domain = self.addr_spec.lower().rpartition("@")
        return f"{local.partition('+')[0] or local}@{domain}"


@dataclass(frozen=True, slots=True)
class Attachment:
    filename: str
    content_type: str
    size: int
    """Decoded size in octets."""
    sha256: str
    is_inline: bool = False
    """Shown in the body (has a Content-ID that the HTML uses, or `inline` and an image)."""


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that could not be read as the standard says. `code` is stable, `sentence` is for people."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class InboundMessage:
    message_id: str
    """Never empty: a mail without one gets `gen-<sha256>@mailflow.invalid`, the same for each copy of it."""
    from_: Address | None
    reply_to: tuple[Address, ...]
    return_path: str | None
    """The header Return-Path, topmost: '' is the null path `<>`, None that there was no such header."""
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    date: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    text: str
    """The whole readable body, quotes and signature included."""
    new_spans: tuple[Span, ...]
    """What this sender wrote now (forwards count as content, quotes do not)."""
    content_spans: tuple[Span, ...]
    """The new text less greeting lines' signature and disclaimer: what the classifier reads."""
    attachments: tuple[Attachment, ...]
    language: str
    """ISO 639-1, '' if the text is too short to tell."""
    headers: tuple[tuple[str, str], ...]
    """All header fields in order, names as written, values unfolded and decoded."""
    defects: tuple[Defect, ...] = ()

    @property
    def new_text(self) -> str:
        return join_spans(self.text, self.new_spans)

    @property
    def content_text(self) -> str:
        return join_spans(self.text, self.content_spans)

    def header_values(self, name: str) -> tuple[str, ...]:
        """All values of the header field `name`, topmost first; names compare without case."""
        wanted = name.lower()
        return tuple(value for key, value in self.headers if key.lower() == wanted)

    def header(self, name: str) -> str:
        """The topmost value of `name`, '' where there is none."""
        return next(iter(self.header_values(name)), "")


def join_spans(text: str, spans: tuple[Span, ...]) -> str:
    return "\n".join(text[span.start : span.end].strip("\n") for span in spans).strip()


class OriginKind(StrEnum):
    """Who made the mail (RFC 3834). Only HUMAN may ever get an automatic answer."""

    HUMAN = "human"
    AUTO_REPLIED = "auto_replied"
    AUTO_GENERATED = "auto_generated"
    LIST = "list"
    BOUNCE = "bounce"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    addr_spec: str
    is_permanent: bool
    diagnostic: str = ""
    """What the refusing server said, on one line, cut to 200 characters."""


@dataclass(frozen=True, slots=True)
class Origin:
    kind: OriginKind
    evidence: str
    """The header and value, or the rule, that decided: `Auto-Submitted: auto-replied`."""
    bounced: tuple[FailedRecipient, ...] = ()
    returned_message_ids: tuple[str, ...] = ()
    """Message-IDs found in the returned headers of a bounce."""


class Role(StrEnum):
    PARTNER = "partner"
    INTERNAL = "internal"
    CUSTOMER = "customer"
    PROSPECT = "prospect"
    UNKNOWN = "unknown"


class Trust(StrEnum):
    """What our own server vouches for (D2)."""

    KNOWN = "known"
    """DMARC passed and the domain is ours or a partner's."""
    ALIGNED = "aligned"
    """DMARC passed for a domain that we do not know."""
    UNAUTHENTICATED = "unauthenticated"


@dataclass(frozen=True, slots=True)
class Sender:
    role: Role
    trust: Trust
    reason: str
    """Why, in one sentence: `mx.gitlab.com says dmarc=pass for gitlab.com`."""
    flags: tuple[str, ...] = ()
    """Stable words such as `lookalike_domain`, `reply_to_differs`, `free_mail`, `disproved`."""
    partner: Partner | None = None
    """Of the directory; only with Trust.KNOWN."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321. One recipient an envelope: a partial refusal cannot happen."""

    reverse_path: str
    forward_path: str


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    envelope: Envelope
    message_id: str
    subject: str
    content: bytes
    """The finished RFC 5322 message, CRLF line ends."""
    text: str = field(repr=False, default="")
    """Its plain text, for the store and for people."""
    markdown: str = field(repr=False, default="")
    """What it was made of, for a person who goes on writing after he cancelled it."""
