"""How times, sizes, shares and names are said on a page. Pure."""

import unicodedata
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60))


def span(length: timedelta) -> str:
    """`2 d`, `3 h`, `12 min`, `now`."""
    seconds = int(abs(length.total_seconds()))
    return next((f"{seconds // of} {unit}" for unit, of in _STEPS if seconds >= of), "now")


def ago(at: datetime, now: datetime) -> str:
    said = span(now - at)
    return said if said == "now" else f"{said} ago"


def due(at: datetime, now: datetime) -> str:
    """`due in 3 h`, `overdue 2 d`, `due now`."""
    said = span(at - now)
    if said == "now":
        return "due now"
    return f"due in {said}" if at > now else f"overdue {said}"


def local(at: datetime, zone: str, now: datetime | None = None) -> str:
    """In `zone`: `14:05` of the day of `now`, else `2 Mar 14:05`, of another year `2025-03-02 14:05`."""
    here = at.astimezone(ZoneInfo(zone))
    if now is None:
        return f"{here:%Y-%m-%d %H:%M}"
    today = now.astimezone(ZoneInfo(zone))
    if here.date() == today.date():
        return f"{here:%H:%M}"
    return f"{here.day} {here:%b %H:%M}" if here.year == today.year else f"{here:%Y-%m-%d %H:%M}"


def exact(at: datetime, zone: str) -> str:
    """To the second, with the zone: for a title."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}"


def size(octets: int) -> str:
    """`512 B`, `1.4 MB`."""
    value, unit = float(octets), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 999.5:
            break
        value, unit = value / 1_000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 9.95 else f"{value:.1f} {unit}"


def percent(share: float) -> str:
    """`93 %`; nothing is said to be certain that is not."""
    if share >= 0.995:
        return "> 99 %"
    return "< 1 %" if share < 0.005 else f"{100 * share:.0f} %"


def name(code: str) -> str:
    """`guard:held_thread` as `held thread`."""
    return code.rpartition(":")[2].replace("_", " ")


def reason(code: str) -> str:
    """`guard:held_thread` as `held thread (guard)`: a row and a doubt of one name are two reasons."""
    kind, _, said = code.rpartition(":")
    return said.replace("_", " ") + (f" ({kind})" if kind else "")


_ACTED = {"reply": "an answer", "review": "a person", "none": "no answer"}


def acted(action: str) -> str:
    """What a decision leads to, as the correction form says it."""
    return _ACTED.get(action, action)


def counted(number: int, one: str, many: str = "") -> str:
    """`1 mail`, `3 mails`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


_JOINERS = "\u200c\u200d"
"""Without them some scripts and many emoji are written wrongly; they hide nothing."""


def visible(text: str) -> str:
    """What cannot be seen, or turns the direction of writing, as its number: `invoice[U+202E]fdp.exe`."""
    return "".join(f"[U+{ord(char):04X}]" if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    return char not in _JOINERS and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def theirs(text: object, most: int = 0) -> Markup:
    """Words of strangers within a line of ours: they turn the direction of nothing around them, and hide nothing."""
    said = visible(str(text))
    if most and len(said) > most:
        said = f"{said[:most]}…"
    return Markup("<bdi>{}</bdi>").format(said)
