"""What every page and every call of the review desk works with, in one value."""

from dataclasses import dataclass

from mailflow.core.ports import Clock
from mailflow.core.review_store import ReviewStore
from mailflow.services.review import ReviewDesk
from mailflow.web.access import Guard


@dataclass(frozen=True, slots=True)
class WebDesk:
    """Built by bootstrap.build_web; nothing here is made at import."""

    store: ReviewStore
    guard: Guard
    review: ReviewDesk
    clock: Clock
    name: str
    """Of the desk, for the head of each page."""
    told_key: bytes
    """Marks what pages tell each other in addresses (told.py)."""
    most_counted: int = 1_000
    """A box with more threads says so and no more."""
