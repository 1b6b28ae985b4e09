"""What other systems are told, and how they know that it was us."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.hooks import (
    TOLERANCE,
    HookEvent,
    Listener,
    ThreadFacts,
    body_of,
    is_signed,
    signature,
    wanting,
)
from mailflow.testing import NOON

SECRET = b"a secret of the receiver"
AT = int(NOON.timestamp())
FACTS = ThreadFacts(7, "held", "review", "high", "quoting", "guard:fact", "en")


def test_a_receiver_knows_a_call_of_ours() -> None:
    assert is_signed(SECRET, signature(SECRET, AT, b"{}"), b"{}", NOON)


@pytest.mark.parametrize(
    ("header", "content", "later"),
    [
        (signature(b"another secret", AT, b"{}"), b"{}", timedelta(0)),
        (signature(SECRET, AT, b"{}"), b'{"a": 1}', timedelta(0)),
        (signature(SECRET, AT, b"{}"), b"{}", TOLERANCE + timedelta(seconds=1)),
        (signature(SECRET, AT, b"{}").replace(f"t={AT}", f"t={AT + 1}"), b"{}", timedelta(0)),
        ("", b"{}", timedelta(0)),
        ("t=,v1=", b"{}", timedelta(0)),
    ],
    ids=["another secret", "other content", "sent again later", "another time", "nothing", "empty parts"],
)
def test_and_no_other(header: str, content: bytes, later: timedelta) -> None:
    assert not is_signed(SECRET, header, content, NOON + later)


@given(st.text(max_size=200))
def test_whatever_stands_in_the_header_is_no_signature(header: str) -> None:
    assert not is_signed(SECRET, header, b"{}", NOON)


def test_the_signature_is_the_one_that_the_documentation_tells() -> None:
    """Made once with `openssl dgst -sha256 -hmac`, so that a receiver in any language agrees."""
    assert signature(b"0123456789abcdef", 1772452800, b'{"event": "held"}') == (
        "t=1772452800,v1=ee98b6c269e206690fd26208c000c9ee2c00fbfd9d1354cd90e1418d67e7788c"
    )


def test_each_hears_of_what_he_wants_to_hear_of() -> None:
    listeners = (Listener("all", frozenset(HookEvent)), Listener("urgent", frozenset({HookEvent.ESCALATED})))
    assert wanting(listeners, HookEvent.HELD) == ["all"]
    assert wanting(listeners, HookEvent.ESCALATED) == ["all", "urgent"]


def test_a_call_says_codes_and_the_number_of_the_thread() -> None:
    body = body_of(HookEvent.HELD, FACTS, NOON)
    assert json.loads(json.dumps(body)) == {
        "event": "held",
        "at": "2026-03-02T12:00:00+00:00",
        "thread": {
            "id": 7,
            "status": "held",
            "queue": "review",
            "priority": "high",
            "intent": "quoting",
            "reason": "guard:fact",
            "language": "en",
        },
    }
