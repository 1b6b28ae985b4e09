"""What the queue shows, as the address of a page says it, and back. Pure and total: what cannot be read is left out.

box=held&intent=quoting&older=4h&sort=due&after=2026-03-02T12:00:00+00:00~17
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from mailflow.core.review import Box, Filter, Place, Sort

EQUAL = ("intent", "reason", "role", "trust", "language", "assignee", "priority", "partner")
"""The fields that are equal to what is asked for."""
AGES: dict[str, timedelta] = {
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
    "3d": timedelta(days=3),
    "7d": timedelta(days=7),
}
MOST_ID = 2**53
_LONGEST = 200


def filter_of(asked: Mapping[str, str]) -> Filter:
    values = {name: _word(asked.get(name, "")) for name in EQUAL}
    return Filter(
        box=Box(asked["box"]) if asked.get("box") in set(Box) else Box.HELD,
        query=_word(asked.get("q", "")),
        older_than=AGES.get(asked.get("older", "")),
        sort=Sort(asked["sort"]) if asked.get("sort") in set(Sort) else Sort.DUE,
        **values,
    )


def _word(text: str) -> str:
    """Why no NUL and no surrogates: PostgreSQL takes neither."""
    return "".join(char for char in text if char.isprintable()).strip()[:_LONGEST]


def filter_of_query(query: str) -> Filter:
    return filter_of(dict(parse_qsl(query)))


def query_of(filter_: Filter, **changed: str) -> str:
    """The address's query, without what is as it comes; `changed` in place of what the filter says, '' for nothing."""
    age = next((name for name, age in AGES.items() if age == filter_.older_than), "")
    values = {
        "box": filter_.box.value,
        "q": filter_.query,
        **{name: getattr(filter_, name) for name in EQUAL},
        "older": age,
        "sort": "" if filter_.sort is Sort.DUE else filter_.sort.value,
    }
    return urlencode({name: value for name, value in (values | changed).items() if value})


def place_of(text: str) -> Place | None:
    at, _, thread_id = text.rpartition("~")
    try:
        moment = datetime.fromisoformat(at.replace(" ", "+"))
    except ValueError:
        return None
    if moment.tzinfo is None or not 1970 <= moment.year < 9999 or not re.fullmatch(r"[0-9]{1,15}", thread_id):
        return None
    return Place(moment, int(thread_id))


def place_text(place: Place) -> str:
    return f"{place.at.isoformat()}~{place.thread_id}"


def is_plain(filter_: Filter) -> bool:
    """Whether the whole box is shown."""
    return filter_ == Filter(box=filter_.box, sort=filter_.sort)
