"""What holds for every mail whatsoever, as sentences about what does not: the oracle of the fuzzer.

Rule: reading is total, storable and repeatable; offsets lie in the text; files are no larger than the mail; what an
index of the store holds is short.
Rule: without a field of our own server nobody is known (D2), however the mail is made.
Rule: an answer is refused, or its header is the one that we wrote (RFC 5322, 2.1 and 2.2).
"""

import pickle
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from itertools import pairwise

from mailflow.core.message import InboundMessage, Span, Trust
from mailflow.core.partner import Partner, PartnerDirectory, PartnerKind, Route
from mailflow.core.ports import RenderedAnswer
from mailflow.core.reply import ReplyHeaders, compose
from mailflow.core.storage import Understood
from mailflow.reading.headers import MAX_WORD
from mailflow.reading.sealed import OPAQUE_TYPES
from mailflow.reading.sender import Desk
from mailflow.reading.thread import clues, references_for_reply
from mailflow.reading.understand import classifier_input, understand

SERVER = "mx.vendor.example"
DESK = Desk(
    addresses=frozenset({"desk@vendor.example"}),
    own_domains=frozenset({"vendor.example"}),
    trusted_authserv_ids=frozenset({SERVER}),
)
PARTNERS = PartnerDirectory.of(
    (Partner(("reseller.example",), "Reseller Ltd", "select", PartnerKind.RESELLER, "EMEA", Route.DIRECT, ""),)
)
_SECRET = b"the same for every run of the fuzzer"


def read(content: bytes) -> Understood:
    return understand(content, None, DESK, PARTNERS)


def broken(content: bytes) -> list[str]:
    """What does not hold of this mail; what raises is as much a finding."""
    value = read(content)
    classifier_input(value)
    return [
        *value_faults(value),
        *size_faults(value.message, len(content)),
        *index_faults(value),
        *repeat_faults(value, read(content)),
        *trust_faults(value, content),
        *answer_faults(value.message),
    ]


# ---- the value ----------------------------------------------------------------------------------------------

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TEXTS = frozenset({"text"})
"""Fields that hold lines; every other string is one line."""


def value_faults(value: Understood) -> Iterator[str]:
    for path, text in strings(value):
        if _UNSTORABLE.search(text):
            yield f"{path} holds a NUL or half a surrogate pair"
        if path.rpartition(".")[2] not in _TEXTS and ("\r" in text or "\n" in text):
            yield f"{path} holds a line end"
    message = value.message
    if not message.message_id:
        yield "message_id is empty"
    for name, spans in (("new_spans", message.new_spans), ("content_spans", message.content_spans)):
        yield from (f"{name}: {fault}" for fault in span_faults(spans, len(message.text)))
    for span in message.content_spans:
        if not any(new.start <= span.start and span.end <= new.end for new in message.new_spans):
            yield f"content_spans: {span} is not new"


def strings(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string inside `value` and where it is: `message.subject`."""
    if isinstance(value, str):
        yield path, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from strings(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, (tuple, frozenset)):
        for one in value:
            yield from strings(one, path)


def span_faults(spans: tuple[Span, ...], length: int) -> Iterator[str]:
    for span in spans:
        if not 0 <= span.start <= span.end <= length:
            yield f"{span} is not inside the {length} characters"
    for before, behind in pairwise(spans):
        if before.end > behind.start:
            yield f"{behind} begins before the end of {before}"


def size_faults(message: InboundMessage, length: int) -> Iterator[str]:
    """Files that carry others (S/MIME, winmail.dat) count themselves, but not beside what lies in them."""
    for file in message.attachments:
        if not 0 <= file.size <= length:
            yield f"a file of {file.size} octets in a mail of {length}"
    loose = sum(file.size for file in message.attachments if not _carries_others(file.content_type, file.filename))
    if loose > length:
        yield f"files of {loose} octets in a mail of {length}"


def _carries_others(content_type: str, filename: str) -> bool:
    return content_type in OPAQUE_TYPES or "ms-tnef" in content_type or filename.lower() == "winmail.dat"


_LONGEST_KEY = 2_600
"""Octets; PostgreSQL refuses an index row above 2,704."""


def index_faults(value: Understood) -> Iterator[str]:
    message = value.message
    people = (*message.reply_to, *message.to, *message.cc, *([message.from_] if message.from_ else []))
    words = (message.message_id, *message.in_reply_to, *message.references, *(one.addr_spec for one in people))
    longest = max(len(word.encode()) for word in words)
    if longest > MAX_WORD:
        yield f"an identifier or address has {longest} octets"
    named = clues(message, value.origin.returned_message_ids, _SECRET)
    key = len(f"{named.requester}{named.subject_key}".encode())
    if key > _LONGEST_KEY:
        yield f"requester and subject have {key} octets"


def repeat_faults(value: Understood, again: Understood) -> Iterator[str]:
    if again != value:
        yield "read twice it is two values"
    if pickle.loads(pickle.dumps(value)) != value:  # noqa: S301 # what it has just written itself
        yield "it does not survive the pipe to the worker"


# ---- trust --------------------------------------------------------------------------------------------------

_HEAD = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*(?:\n|\Z)|[ \t][^\n]*(?:\n|\Z))*")
_RESULTS = re.compile(rb"^authentication-results[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)
_OUR_NAME = re.compile(re.escape(SERVER.encode()), re.IGNORECASE)


def trust_faults(value: Understood, content: bytes) -> Iterator[str]:
    if value.sender.trust is Trust.KNOWN and read(as_delivered(content)).sender.trust is Trust.KNOWN:
        yield "known, though our server says nothing"


def as_delivered(content: bytes) -> bytes:
    """`content` as our server hands it on when it says nothing of the sender: its trace field on top, and what carries
    its name gone from the header (RFC 8601, 5). The header ends at the first line that is no field."""
    head = _HEAD.match(content)
    end = head.end() if head else 0
    fields = _RESULTS.sub(lambda found: b"" if _OUR_NAME.search(found[0]) else found[0], content[:end])
    return b"Received: by %s; Mon, 06 May 2024 10:00:00 +0200\r\n" % SERVER.encode() + fields + content[end:]


# ---- the answer ---------------------------------------------------------------------------------------------

_OPTIONAL = frozenset({"In-Reply-To", "References"})
_FIELDS = (
    "From To Subject Date Message-ID In-Reply-To References Auto-Submitted Precedence X-Auto-Response-Suppress "
    "X-Mailflow-Loop MIME-Version Content-Type"
).split()
_LONGEST_LINE = 998
_ANSWER = RenderedAnswer("Hello,\n\nplease register it.\n", "<p>Hello,</p><p>please register it.</p>")


def answer_faults(message: InboundMessage) -> Iterator[str]:
    """Answers to the author and to Reply-To, as the worker composes them; a refusal is a ValueError."""
    for recipient in dict.fromkeys(one.addr_spec for one in (*message.reply_to[:2], message.from_) if one):
        try:
            answer = compose(reply_headers(message, recipient), _ANSWER)
        except ValueError:
            continue
        yield from header_faults(answer.content)


def reply_headers(message: InboundMessage, recipient: str) -> ReplyHeaders:
    return ReplyHeaders(
        message_id="mf.1.abcdefghijklmnop.1@vendor.example",
        desk_name="Partner Desk",
        desk_address="desk@vendor.example",
        reverse_path="bounces@vendor.example",
        recipient=recipient,
        subject=message.subject,
        in_reply_to=message.message_id,
        references=references_for_reply(message),
        date=datetime(2024, 5, 6, 10, tzinfo=UTC),
    )


def header_faults(content: bytes) -> Iterator[str]:
    """Of an answer: whether its fields are ours alone, in our order, on lines that every server takes."""
    lines = content.partition(b"\r\n\r\n")[0].split(b"\r\n")
    names = [line.partition(b":")[0].decode("latin-1") for line in lines if line[:1] not in (b" ", b"\t")]
    if [name for name in names if name not in _OPTIONAL] != [name for name in _FIELDS if name not in _OPTIONAL]:
        yield f"the answer has the fields {names}"
    if len(names) != len(set(names)):
        yield f"the answer has a field twice: {names}"
    for line in lines:
        if b"\r" in line or b"\n" in line or b"\x00" in line:
            yield f"the answer has a line end inside a line: {line!r}"
        if len(line) > _LONGEST_LINE:
            yield f"the answer has a line of {len(line)} octets"
        if not line.strip():
            yield "the answer has a blank line in its header"
