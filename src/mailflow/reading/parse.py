"""Bytes of a mail to an InboundMessage (RFC 5322). Total: any bytes give a value, and `defects` say what was wrong.

The parts: `mime_tree` builds the structure under caps, `headers` reads fields (mail-parser: dates and broken
address lists), `body` finds text and attachments, `new_text` what is new in it, `language` its language.
"""

import hashlib
import re
from datetime import datetime
from email.errors import MessageDefect
from email.message import Message

from mailflow.core.message import Address, Defect, InboundMessage
from mailflow.core.octets import Octets, slices
from mailflow.reading import headers, language, new_text
from mailflow.reading.body import Body, read_body
from mailflow.reading.charset import decode_words
from mailflow.reading.mime_tree import mime_tree, own_parts

_FORWARD_PREFIX = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|wg|trs?|rv|enc|i|[iİ]\u0307?lt|doorst|vs|vb|vl|pd|fs|ynt|redir|videresend\w*"
    r"|továbbít\w*|προ\w*|πρθ|转发|轉寄|転送|전달)\s*:",
    re.IGNORECASE,
)


def message_tree(content: Octets) -> Message:
    """The MIME structure that `parse` reads: compat32, capped, raw 8-bit fields as text. Total."""
    return mime_tree(content)[0]


def parse(content: Octets, *, size: int | None = None) -> InboundMessage:
    """What `content` says. `size`: octets on the server, where `content` is only the start of it."""
    tree, defects = mime_tree(content)
    fields = headers.raw_fields(tree)
    raw = headers.by_name(fields)
    body = read_body(tree)
    subject = decode_words(raw.get("subject", [""])[0])
    parts = new_text.split(body.text, body.quoted, is_forward=_FORWARD_PREFIX.match(subject) is not None)
    content_text = "\n".join(body.text[span.start : span.end] for span in parts.content)
    from_, sender_defects = _sender(raw)
    date, date_defects = _date(raw)
    ids = headers.message_ids(raw.get("message-id", ()))
    if not ids:
        defects.append(Defect("no_message_id", "The mail has no Message-ID; one was made from its bytes."))
    return InboundMessage(
        message_id=ids[0] if ids else _made_id(content, raw, body),
        from_=from_,
        reply_to=headers.addresses(raw.get("reply-to", ())),
        return_path=headers.return_path(raw.get("return-path", ())),
        to=headers.addresses(raw.get("to", ())),
        cc=headers.addresses(raw.get("cc", ())),
        subject=subject,
        date=date,
        in_reply_to=headers.message_ids(raw.get("in-reply-to", ())),
        references=headers.message_ids(raw.get("references", ())),
        text=body.text,
        new_spans=parts.new,
        content_spans=parts.content,
        attachments=body.attachments,
        language=language.detect(content_text),
        headers=headers.decoded(fields),
        defects=_all_defects(content, size, tree, [*defects, *sender_defects, *date_defects, *body.defects]),
    )


_IDENTITY = ("from", "to", "cc", "date", "subject")


def _made_id(content: Octets, raw: dict[str, list[str]], body: Body) -> str:
    """What names a mail without a Message-ID: its bytes, or where it has a Date, what no relay changes.

    Why: the same mail to two of our addresses comes twice, with other trace fields. Without a Date nothing tells a
    second copy from a second mail of the same words, so only the same bytes are the same mail.
    """
    digest = hashlib.sha256()
    if "date" in raw:
        fields = [value for name in _IDENTITY for value in (name, *raw.get(name, ()))]
        files = [file.sha256 for file in body.attachments]
        digest.update("|".join((*fields, body.text, *files)).encode("utf-8", "surrogatepass"))
    else:
        for one in slices(content):
            digest.update(one)
    return f"gen-{digest.hexdigest()}@mailflow.invalid"


def _sender(raw: dict[str, list[str]]) -> tuple[Address | None, list[Defect]]:
    senders = headers.addresses(raw.get("from", ()))
    if senders:
        extra = (
            [Defect("many_senders", "From names more than one address; the first was taken.")]
            if len(senders) > 1
            else []
        )
        return senders[0], extra
    stand_in = headers.addresses(raw.get("sender", ()))
    return (stand_in[0] if stand_in else None), [Defect("no_from", "From names no address that can be read.")]


def _date(raw: dict[str, list[str]]) -> tuple[datetime | None, list[Defect]]:
    for value in raw.get("date", ()):
        moment = headers.date_time(value)
        if moment is not None:
            return moment, []
    return None, [Defect("no_date", "Date is missing or names no moment.")]


_SENTENCES: dict[str, tuple[str, str]] = {
    "NoBoundaryInMultipartDefect": ("no_boundary", "A multipart names no boundary."),
    "StartBoundaryNotFoundDefect": ("no_start_boundary", "The first boundary of a multipart is missing."),
    "CloseBoundaryNotFoundDefect": (
        "no_close_boundary",
        "The last boundary of a multipart is missing: the mail may be cut off.",
    ),
    "MissingHeaderBodySeparatorDefect": ("no_separator", "The header ends without a blank line."),
    "FirstHeaderLineIsContinuationDefect": ("first_line_folded", "The first header line is a continuation of nothing."),
    "MisplacedEnvelopeHeaderDefect": ("misplaced_from_line", "An mbox `From ` line stands inside the header."),
    "InvalidMultipartContentTransferEncodingDefect": (
        "encoded_multipart",
        "A multipart claims to be base64 or quoted-printable.",
    ),
}


def _all_defects(content: Octets, size: int | None, tree: Message, known: list[Defect]) -> tuple[Defect, ...]:
    found = {defect.code: defect for defect in known}
    if size is not None and size > len(content):
        found["truncated"] = Defect("truncated", f"Only {len(content)} of {size} octets were fetched.")
    for part in own_parts(tree):
        for defect in part.defects:
            code, sentence = _sentence(defect)
            found.setdefault(code, Defect(code, sentence))
    return tuple(found.values())


def _sentence(defect: MessageDefect) -> tuple[str, str]:
    name = type(defect).__name__
    return _SENTENCES.get(name, (re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Defect")).lower(), f"{name}."))
