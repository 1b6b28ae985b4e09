"""Header fields: bounded while they are parsed, decoded once, read leniently (RFC 5322, 2045, 2047, 2231).

Rule: every field is capped before anything parses it, and empty parameters (`; ; ;`) collapse.
Why: a real 24 KB `Content-Type: text/html ; ; ;` costs other parsers seconds to minutes.
Rule: raw octets, for which a field has no label, are UTF-8 where they can be, else in the charset that the mail's text
declares, else in the one that all of them together look like.
Rule: mail-parser reads the dates, and every address list that is not plainly regular. Why: it recovers more real
addresses than any parser measured against it and refuses to pick one out of a display name. Regular lists match one
pattern, which is several times cheaper. Its MailParser class is not used: that decodes every part a second time, which
doubles the price of a mail. Names are decoded here, because mail-parser drops characters it cannot decode.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.policy import Compat32
from email.utils import parsedate_to_datetime
from itertools import islice
from urllib.parse import unquote_to_bytes

from mailparser.dates import parse_mail_date
from mailparser.utils import get_addresses

from mailflow.core.message import Address
from mailflow.reading.charset import clean, decode, decode_field, decode_words, field_codec

MAX_FIELD = 64_000
"""Characters of one field; about 1,500 addresses."""
MAX_MIME_FIELD = 8_000
"""Characters of a Content-* field."""
MAX_FIELDS = 1_000
MAX_ADDRESSES = 500
MAX_WORD = 900
"""Octets of an identifier or an address. Longer ones fit on no line with their field's name (RFC 5322, 2.1.1), so no
answer could name them, and no index of a database takes them."""
_EMPTY_PARAMETERS = re.compile(r";(?:\s*;)+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class CappedPolicy(Compat32):
    """compat32 whose fields are capped as they are read, and whose raw 8-bit values are text, not Header objects."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, _, rest = sourcelines[0].partition(":")
        value = (rest.lstrip(" \t") + "".join(sourcelines[1:])).rstrip("\r\n")
        if name[:8].lower() == "content-":
            value = value[: 4 * MAX_MIME_FIELD]
            return name, (_EMPTY_PARAMETERS.sub(";", value) if ";" in value else value)[:MAX_MIME_FIELD]
        return name, value[:MAX_FIELD]

    def header_fetch_parse(self, name: str, value: str) -> str:
        return octets_as_text(value)


def octets_as_text(value: str, codec: str = "") -> str:
    """A field value as the parser holds it (raw octets as surrogates), its octets decoded; encoded words stay.

    `codec`: what octets that are no UTF-8 are probably in.
    """
    if value.isascii():
        return value
    return decode_field(value.encode("utf-8", "surrogateescape"), codec)


def unfolded(value: str) -> str:
    """One line: a line end with its indentation is one space (RFC 5322, 2.2.3)."""
    if "\n" not in value and "\r" not in value:
        return value.strip()
    return " ".join(filter(None, map(str.strip, value.replace("\r", "\n").split("\n"))))


def raw_fields(message: Message) -> list[tuple[str, str]]:
    """The fields of `message` in order, unfolded, octets as text, encoded words not decoded; at most MAX_FIELDS."""
    fields = [*islice(message.raw_items(), MAX_FIELDS)]
    raw = [value for name, value in fields if not value.isascii() and name.lower() not in TRACE_FIELDS]
    codec = field_codec(text_charset(message), "\n".join(raw).encode("utf-8", "surrogateescape")) if raw else ""
    return [
        (name, trace_text(value) if name.lower() in TRACE_FIELDS else unfolded(octets_as_text(value, codec)))
        for name, value in fields
    ]


def text_charset(message: Message) -> str:
    """The label that the first text of `message` itself bears, '' for none. Why: old clients wrote a header in the
    charset of the text below it, raw, and nothing else tells which that is."""
    if message.get_content_maintype() == "text":
        return str(message.get_param("charset", ""))
    parts = message.get_payload() if message.get_content_maintype() == "multipart" and message.is_multipart() else ()
    return next(filter(None, (text_charset(part) for part in parts if isinstance(part, Message))), "")


def trace_text(value: str) -> str:
    """A server's field, octet for octet: nothing vanishes and no charset is guessed; what is no text is U+FFFD.

    Why: our server compares octets. A NUL or a byte order mark inside its name makes another name to it, so also to us.
    """
    text = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(filter(None, (line.strip(" \t") for line in re.split("[\r\n]+", _CONTROL.sub("\ufffd", text)))))


def decoded(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Raw fields for people to read."""
    return tuple(
        (name, decode_words(value) if _is_encoded(value) and name.lower() not in TRACE_FIELDS else clean(value))
        for name, value in fields
    )


def _is_encoded(value: str) -> bool:
    """Whether `decode_words` may find more in it than `clean`: encoded words, or ISO-2022-JP as it is."""
    return "=?" in value or "\x1b" in value


TRACE_FIELDS = frozenset(
    "authentication-results arc-authentication-results arc-seal arc-message-signature dkim-signature received "
    "received-spf return-path".split()
)
"""Written by servers. Why kept as they are: a sender's encoded word must not become a server's `dmarc=pass` (D2)."""


def by_name(fields: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The values by name in lower case, topmost first."""
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(value)
    return values


# ---- parameters (RFC 2045, 5.1; RFC 2231) -------------------------------------------------------------------

_PARAMETER = re.compile(
    r"""(?<![^\s=;"])([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?[^;]*+|([^;]*+))""",
    re.DOTALL,
)
"""A name begins where no character of a name stands before; nothing is given back. Why: else 8 KB of letters without an
equals sign take seconds."""
_SECTION = re.compile(r"^([^*]+)(?:\*(\d{1,4}))?(\*)?$")
_QUOTED_PAIR = re.compile(r'\\(["\\])')


def parameters(value: str) -> dict[str, str]:
    """The parameters of a Content-Type or Content-Disposition value, names in lower case, values decoded.

    Total: continuations may come in any order, with gaps or with a broken charset. An extended value (`name*`) wins
    over the plain one (RFC 6266, 4.3); encoded words are decoded although RFC 2047 forbids them here, as clients do.
    """
    _, _, rest = value.partition(";")
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for found in _PARAMETER.finditer(rest):
        text = _QUOTED_PAIR.sub(r"\1", found[2]) if found[2] is not None else found[3].strip()
        section = _SECTION.match(found[1].lower())
        if section is None:
            continue
        if section[2] is None and section[3] is None:
            plain.setdefault(section[1], decode_words(unfolded(text)))
        else:
            sections.setdefault(section[1], {}).setdefault(int(section[2] or 0), (text, section[3] is not None))
    return plain | {name: _joined_sections(parts) for name, parts in sections.items()}


def _joined_sections(parts: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231, 3 and 4: sections in number order; the first may name the charset, percent octets only where marked."""
    ordered = [parts[number] for number in sorted(parts)]
    charset = ""
    first, is_extended = ordered[0]
    if is_extended and first.count("'") >= 2:
        charset, _, first = first.split("'", 2)
    octets = bytearray()
    for text, extended in [(first, is_extended), *ordered[1:]]:
        octets += unquote_to_bytes(text) if extended else text.encode("utf-8", "replace")
    return decode_words(unfolded(decode(bytes(octets), charset)))


# ---- addresses (RFC 5322, 3.4) ------------------------------------------------------------------------------

_BARE_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:@]{1,128}@[^\s<>()\",;:@]{1,255}")
_ANGLE_ADDRESS = re.compile(r"<\s*(?:mailto:)?([^\s<>@]{1,128}@[^\s<>@]{1,255})\s*>")


def addresses(values: Iterable[str]) -> tuple[Address, ...]:
    """The mailboxes of these raw field values (octets as text, encoded words not decoded), without repetitions."""
    found: dict[str, Address] = {}
    for value in values:
        for address in _mailboxes(unfolded(value)):
            if _fits_a_line(address.addr_spec):
                found.setdefault(address.addr_spec.lower(), address)
            if len(found) >= MAX_ADDRESSES:
                return tuple(found.values())
    return tuple(found.values())


_ATOMS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
_REGULAR_MAILBOX = re.compile(
    rf"""\s*(?:"([^"\\<>@]*)"|([^"\\<>@,;:()\[\]]*))\s*<({_ATOMS}@[A-Za-z0-9.-]+)>\s*(?:,|$)|\s*({_ATOMS}@[A-Za-z0-9.-]+)\s*(?:,|$)"""
)


def _regular_mailboxes(value: str) -> list[Address] | None:
    """The mailboxes of a list without comments, groups, escapes or any doubt; None for every other list."""
    found: list[Address] = []
    position = 0
    while position < len(value):
        item = _REGULAR_MAILBOX.match(value, position)
        if item is None:
            return None
        found.append(_address(item[1] or item[2] or "", item[3] or item[4]))
        position = item.end()
    return found


def _mailboxes(value: str) -> list[Address]:
    regular = _regular_mailboxes(value)
    if regular is not None:
        return regular
    known = [_address(name, spec) for name, spec in get_addresses(_SURROGATE.sub("\ufffd", value)) if "@" in spec]
    return known or _recovered(value)


def _recovered(value: str) -> list[Address]:
    """What a person would take for the address where the grammar is broken: the one in angles, else the first."""
    text = decode_words(value)
    angle = [*_ANGLE_ADDRESS.finditer(text)]
    if angle:
        return [_address(text[: angle[-1].start()], angle[-1][1])]
    bare = _BARE_ADDRESS.search(text)
    return [_address(text[: bare.start()], bare[0])] if bare else []


def _address(name: str, spec: str) -> Address:
    return Address(decode_words(name).strip(" \t\"'<>"), clean(spec).strip().rstrip("."))


def return_path(values: Iterable[str]) -> str | None:
    """The topmost Return-Path (RFC 5321, 4.4): '' for the null path, None where there is no field."""
    for value in values:
        text = unfolded(value)
        if text.replace(" ", "") in ("<>", ""):
            return ""
        found = _ANGLE_ADDRESS.search(text) or _BARE_ADDRESS.search(text)
        return clean(found[found.re.groups]) if found else clean(text.strip("<>"))
    return None


# ---- identifiers and dates ----------------------------------------------------------------------------------

_MESSAGE_ID = re.compile(r"<([^<>]{1,998})>")
_SPACE = re.compile(r"\s+")


def message_ids(values: Iterable[str]) -> tuple[str, ...]:
    """All identifiers in these fields, in order, once each, without their angle brackets (RFC 5322, 3.6.4)."""
    found: dict[str, None] = {}
    for value in values:
        text = decode_words(value) if "=?" in value else clean(value)
        ids = _MESSAGE_ID.findall(text) or _bare_ids(text)
        words = (_SPACE.sub("", each) for each in ids)
        found.update(dict.fromkeys(word for word in words if word and _fits_a_line(word)))
    return tuple(found)


def _fits_a_line(word: str) -> bool:
    return len(word) <= MAX_WORD // 4 or len(word.encode("utf-8", "surrogatepass")) <= MAX_WORD


def _bare_ids(text: str) -> list[str]:
    """Identifiers that were sent without angle brackets: the words with an `@`, if there is nothing else."""
    words = text.replace(",", " ").strip("<>").split()
    return words if words and all("@" in word for word in words) else []


_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:\.\d{1,6})?\s?(?:Z|[+-]\d{2}:?\d{2})?")


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REGULAR_DATE = re.compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?([0-9]{{1,2}}) ({'|'.join(_MONTHS)}) ((?:19|20)[0-9]{{2}})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-][0-9]{2})([0-5][0-9])(?: \([A-Z]{1,5}\))?"
)


def _regular_date(text: str) -> datetime | None:
    """The moment of a date-time without any doubt (RFC 5322, 3.3), in UTC; None for every other one."""
    found = _REGULAR_DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, zone_hours, zone_minutes = found.groups()
    offset = timedelta(minutes=60 * int(zone_hours[1:]) + int(zone_minutes))
    try:
        moment = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    return moment + offset if zone_hours[0] == "-" else moment - offset


def date_time(value: str) -> datetime | None:
    """The moment that a Date field names, aware; None if it names none. No zone counts as UTC (RFC 5322, 4.3)."""
    text = unfolded(value)[:200]
    if not text:
        return None
    moment = _regular_date(text) or parse_mail_date(text).value or _lenient_date(text)
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _lenient_date(text: str) -> datetime | None:
    iso = _ISO_DATE.match(text)
    try:
        return datetime.fromisoformat(iso[0]) if iso else parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
