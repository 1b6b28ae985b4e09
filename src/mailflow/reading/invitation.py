"""What a calendar entry says, as lines to read (RFC 5545; RFC 5546 for its methods).

Rule: an answer says who answers what: `Accepted: Partner call`. Why: it is all that the mail says.
"""

import re
from collections.abc import Iterable

_LINE = re.compile(r"([A-Za-z-]+)((?:;[^:;=]+=(?:\"[^\"]*\"|[^:;\"]*))*):(.*)")
_ESCAPE = re.compile(r"\\([nN,;\\])")
_MOMENT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{2}(Z?))?$")
_ZONE = re.compile(r"TZID=\"?([^;\"]+)", re.IGNORECASE)
_STATE = re.compile(r"PARTSTAT=\"?([A-Za-z-]+)", re.IGNORECASE)
_MAX_LINES = 5_000


def invitation_text(source: str) -> str:
    """Summary, start, place, description and comment of the first event; '' if there is none to read."""
    fields: dict[str, tuple[str, str]] = {}
    is_inside = False
    for line in re.sub(r"\n[ \t]", "", source).split("\n")[:_MAX_LINES]:
        if line.upper().startswith("BEGIN:VEVENT"):
            is_inside = True
        elif is_inside and line.upper().startswith(("END:VEVENT", "BEGIN:")):
            break
        elif (found := _LINE.match(line)) and (is_inside or found[1].upper() == "METHOD"):
            fields.setdefault(found[1].upper(), (found[2], found[3]))
    return "\n".join(line for line in _lines(fields) if line.strip())


def _lines(fields: dict[str, tuple[str, str]]) -> Iterable[str]:
    def value(name: str) -> str:
        text = fields.get(name, ("", ""))[1]
        return _ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], text)

    yield f"{_prefix(value('METHOD').upper(), fields.get('ATTENDEE', ('', ''))[0])}{value('SUMMARY')}"
    yield _moment(*fields.get("DTSTART", ("", "")))
    yield value("LOCATION")
    yield value("DESCRIPTION")
    yield value("COMMENT")


def _prefix(method: str, attendee: str) -> str:
    if method == "REPLY" and (state := _STATE.search(attendee)):
        return f"{state[1].replace('-', ' ').capitalize()}: "
    return "Cancelled: " if method == "CANCEL" else ""


def _moment(parameters: str, value: str) -> str:
    """`2024-05-06 10:00 Europe/Berlin`; a value of another form as it stands."""
    found = _MOMENT.match(value.strip())
    if not found:
        return value.strip()
    zone = _ZONE.search(parameters)
    day = f"{found[1]}-{found[2]}-{found[3]}"
    return f"{day} {found[4]}:{found[5]} {'UTC' if found[6] else zone[1] if zone else ''}".strip() if found[4] else day
