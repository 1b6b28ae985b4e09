"""Reports of delivery in their machine-readable form: who was not reached, whether for good, and why (RFC 3464, 6533).

Rule: Action decides (2.3.3): `failed` is for good, `delayed` is not, the others are no failure. Where it is missing the
class of Status decides (RFC 3463, 2), then the reply code of Diagnostic-Code (RFC 5321, 4.2.1).
Why Action first: `failed` with a status of 4.x.x says that the server has given up, so the mail will not arrive.
Rule: the original recipient rather than the final one (2.3.1): it is the one that we wrote to.
Rule: fields are read wherever they stand. Why: servers send them base64-encoded, under types of their own, without
the blank line between two recipients, and in plain text.
"""

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum

from mailflow.reading.mime_tree import own_parts
from mailflow.reading.returned_mail import before_copy, part_text
from mailflow.reading.transfer import decoded
from mailflow.reading.wording import one_line

LONGEST_DIAGNOSTIC = 200
_LONGEST_VALUE = 2_000
_STATUS_TYPE = re.compile(r"message/(?:x-?|global-)?delivery-?status")
_ADDRESS = re.compile(r"[^\s<>;,\"()\[\]]+@[^\s<>;,\"()\[\]]+")
_BLANK = re.compile(r"\n[ \t]*\n")
_FIELD = re.compile(r"^[ \t]?([A-Za-z][A-Za-z-]{2,40})[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
_RECIPIENT_FIELDS = ("original-recipient", "x-actual-recipient", "final-recipient")


class Fate(StrEnum):
    FAILED = "failed"
    DELAYED = "delayed"
    ARRIVED = "arrived"


_ACTIONS: dict[str, Fate] = {
    "failed": Fate.FAILED,
    "fail": Fate.FAILED,
    "failure": Fate.FAILED,
    "error": Fate.FAILED,
    "bounced": Fate.FAILED,
    "delayed": Fate.DELAYED,
    "delay": Fate.DELAYED,
    "deferred": Fate.DELAYED,
    "delivered": Fate.ARRIVED,
    "relayed": Fate.ARRIVED,
    "expanded": Fate.ARRIVED,
}
_CLASSES = {"5": Fate.FAILED, "4": Fate.DELAYED, "2": Fate.ARRIVED}


@dataclass(frozen=True, slots=True)
class Reported:
    addr_spec: str
    fate: Fate
    diagnostic: str
    """One line, '' where the report gives no reason."""


def reported(tree: Message, *, in_words: bool) -> tuple[Reported, ...]:
    """Each recipient of the report once. `in_words`: a server wrote the mail, so its plain text is read, too."""
    found: dict[str, Reported] = {}
    for part in own_parts(tree):
        if _is_status(part):
            text = _decoded(part)
        elif in_words and part.get_content_type() == "text/plain":
            text = before_copy(part_text(part))
        else:
            continue
        for fields in _groups(text):
            one = _reported(fields)
            if one:
                found[one.addr_spec.lower()] = one
    return tuple(found.values())


def is_status_type(content_type: str) -> bool:
    return _STATUS_TYPE.fullmatch(content_type) is not None


def _is_status(part: Message) -> bool:
    return is_status_type(part.get_content_type())


def _decoded(part: Message) -> str:
    """The fields of a status part: the parser splits them up without regard to their transfer encoding."""
    text = part_text(part)
    encoding = f"{part.get('Content-Transfer-Encoding', '')}".strip().lower()
    if encoding == "base64" and "recipient" not in text.lower():
        return decoded(text.encode("utf-8", "replace"), "base64").decode("utf-8", "replace")
    if encoding == "quoted-printable":
        return quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    return text


def _groups(text: str) -> Iterator[dict[str, str]]:
    """The fields of each recipient, names in lower case; a name that comes again begins the next recipient."""
    for block in _BLANK.split(text.replace("\r\n", "\n")):
        if "recipient" not in block.lower():
            continue
        fields: dict[str, str] = {}
        for name, value in _FIELD.findall(block):
            if name.lower() in fields:
                yield fields
                fields = {}
            fields[name.lower()] = value[:_LONGEST_VALUE]
        yield fields


def _reported(fields: dict[str, str]) -> Reported | None:
    addr_spec, fate = _recipient(fields), _fate(fields)
    return Reported(addr_spec, fate, _diagnostic(fields)) if addr_spec and fate else None


def _recipient(fields: dict[str, str]) -> str:
    """`rfc822; jane@a.example` -> `jane@a.example`; `+2B` and `+3D` are xtext (RFC 3461, 4) that was left encoded."""
    for name in _RECIPIENT_FIELDS:
        value = fields.get(name, "")
        found = _ADDRESS.search(value.rpartition(";")[2]) or _ADDRESS.search(value)
        if found:
            return found[0].replace("+2B", "+").replace("+3D", "=")
    return ""


def _fate(fields: dict[str, str]) -> Fate | None:
    action = re.match(r"[a-z]+", fields.get("action", "").lower())
    if action and action[0] in _ACTIONS:
        return _ACTIONS[action[0]]
    code = re.search(r"\b([245])\.\d{1,3}\.\d{1,3}\b", fields.get("status", ""))
    code = code or re.search(r"\b([245])(?:\d\d\b|\.\d{1,3}\.\d{1,3}\b)", fields.get("diagnostic-code", ""))
    return _CLASSES[code[1]] if code else None


def _diagnostic(fields: dict[str, str]) -> str:
    """Diagnostic-Code without its type (`smtp;`), else the status with its comment."""
    return one_line(
        re.sub(r"^\s*[\w.-]{1,60}\s*;", "", fields.get("diagnostic-code", "")), LONGEST_DIAGNOSTIC
    ) or one_line(fields.get("status", ""), LONGEST_DIAGNOSTIC)
