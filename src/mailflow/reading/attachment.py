"""What hangs on a mail: names, sizes and hashes of its files (RFC 2183; 2231 for names, 2392 for Content-IDs)."""

import hashlib
import re
from collections.abc import Iterable
from email.message import Message
from typing import NamedTuple

from mailflow.core.message import Attachment
from mailflow.reading.charset import clean, decode_words
from mailflow.reading.headers import parameters, unfolded
from mailflow.reading.mime_tree import Part


class Disposition(NamedTuple):
    kind: str
    """`attachment`, `inline` or what else stands there, lower case; '' for none."""
    filename: str
    """'' for none; the older `name` of Content-Type counts too."""


def disposition(part: Part) -> Disposition:
    value = part.mime.get("content-disposition", "")
    kind = value.partition(";")[0].strip().lower()
    name = parameters(value).get("filename") if ";" in value else None
    name = name or part.parameters.get("name") or part.parameters.get("filename") or ""
    return Disposition(kind, " ".join(clean(name).split()))


def attachment(part: Part, placed: Disposition) -> Attachment:
    content_type = part.get_content_type()
    filename = placed.filename
    if not filename and content_type in ("message/rfc822", "message/global"):
        filename = _nested_name(part)
    is_inline = placed.kind == "inline" and content_type.startswith("image/")
    return described(filename, content_type, measured(part.content()), is_inline)


def content_id(part: Part) -> str:
    """The Content-ID without its angle brackets, '' without one."""
    return unfolded(part.mime.get("content-id", "")).strip("<> ")


class Measured(NamedTuple):
    size: int
    sha256: str


def measured(content: Iterable[bytes]) -> Measured:
    """Of the octets of all pieces, one after the other; none of them is kept."""
    size, digest = 0, hashlib.sha256()
    for one in content:
        size += len(one)
        digest.update(one)
    return Measured(size, digest.hexdigest())


def described(filename: str, content_type: str, content: Measured, is_inline: bool = False) -> Attachment:
    return Attachment(filename, clean(content_type), content.size, content.sha256, is_inline)


_NO_NAME = re.compile(r"[/:*?<>|]+")


def _nested_name(part: Part) -> str:
    """A message inside is named after its subject."""
    nested = part.get_payload(0) if part.is_multipart() else None
    subject = decode_words(unfolded(str(nested.get("Subject", "")))) if isinstance(nested, Message) else ""
    return f"{' '.join(_NO_NAME.sub(' ', subject).split())[:120] or 'message'}.eml"
