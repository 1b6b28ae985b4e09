"""The fuzzer's oracle without the fuzzer: what it checks holds for its seeds and for mails that its mutations make.

`make fuzz` goes on from here, guided by coverage; this proves on every run that the oracle and the mutations work.
"""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fuzz import invariants, mutations, seeds

from mailflow.core.message import Address, Attachment, Span, Trust
from mailflow.core.ports import RenderedAnswer
from mailflow.core.reply import compose

MUTATIONS = 400
LONGEST = 20_000


@pytest.mark.parametrize("path", seeds.paths(), ids=lambda path: path.stem)
def test_what_must_hold_holds_for_each_seed(path: Path) -> None:
    content = path.read_bytes()
    if len(content) <= 10 * LONGEST:
        assert invariants.broken(content) == []


def test_what_must_hold_holds_for_mutated_mails() -> None:
    """The same mails on every run: the dice are seeded."""
    mails = [content for path in seeds.paths() if len(content := path.read_bytes()) <= LONGEST]
    dice = Random(0)
    for _ in range(MUTATIONS):
        content = mutations.mutated(dice.choice(mails), dice.choice(mails), dice, LONGEST)
        assert invariants.broken(content) == [], content


def test_mutations_are_repeatable_and_bounded() -> None:
    mails = [path.read_bytes()[:LONGEST] for path in seeds.paths()[:40]]
    for number, content in enumerate(mails):
        first, again = (mutations.mutated(content, mails[0], Random(number), LONGEST) for _ in range(2))
        assert first == again
        assert len(first) <= LONGEST


MAIL = b"From: a@b.example\r\nSubject: s\r\nMessage-ID: <1@b.example>\r\n\r\nhello there\r\n"
WHOLE = Span(0, len("hello there"))


def test_the_oracle_finds_nothing_in_a_plain_mail() -> None:
    assert invariants.broken(MAIL) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"text": "a\x00b"}, "message.text holds a NUL"),
        ({"text": "a\ud800b"}, "message.text holds a NUL or half a surrogate"),
        ({"subject": "a\r\nBcc: x@y.example"}, "message.subject holds a line end"),
        ({"headers": (("X", "a\nb"),)}, "message.headers holds a line end"),
        ({"message_id": ""}, "message_id is empty"),
        ({"message_id": "m" * 901}, "an identifier or address has 901 octets"),
        ({"new_spans": (WHOLE, WHOLE)}, "begins before the end"),
        ({"new_spans": (Span(3, 99),)}, "is not inside"),
        ({"new_spans": (Span(0, 5),), "content_spans": (Span(0, 6),)}, "is not new"),
        ({"attachments": (Attachment("a", "a/b", len(MAIL) + 1, ""),)}, "in a mail of"),
        ({"attachments": (Attachment("a", "a/b", -1, ""),)}, "a file of -1 octets"),
        ({"attachments": (Attachment("a", "a/b", len(MAIL), ""),) * 2}, f"files of {2 * len(MAIL)} octets"),
        ({"from_": Address("", "a@b.example" + "ü" * 450)}, "an identifier or address has"),
    ],
)
def test_the_oracle_sees_what_is_broken(change: dict[str, Any], fault: str) -> None:
    """An oracle that finds nothing whatever comes would let everything pass."""
    read = invariants.read(MAIL)
    value = replace(read, message=replace(read.message, **change))
    faults = [
        *invariants.value_faults(value),
        *invariants.size_faults(value.message, len(MAIL)),
        *invariants.index_faults(value),
        *invariants.repeat_faults(value, value),
    ]
    assert [one for one in faults if fault in one]


def test_the_oracle_sees_two_readings_that_differ() -> None:
    assert list(invariants.repeat_faults(invariants.read(MAIL), invariants.read(MAIL + b"again\r\n")))


def test_the_oracle_knows_what_our_server_takes_out() -> None:
    """A forged verdict goes from the header, wherever the server sees one, and stays in what is none (RFC 8601, 5)."""
    forged = b"Authentication-Results: mx.vendor.example;\r\n dmarc=pass header.from=vendor.example\r\n"
    other = b"Authentication-Results: mx.other.example; dmarc=pass\r\n"
    fields = b"From: jo@vendor.example\r\n"
    handed_on = invariants.as_delivered(fields + forged.upper() + other + b"no field\r\n" + forged)
    assert handed_on.partition(b"\r\n")[2] == fields + other + b"no field\r\n" + forged
    assert invariants.read(forged + fields + b"\r\nhi").sender.trust is Trust.KNOWN


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"Subject:", b"Bcc: x@evil.example\r\nSubject:", "has the fields"),
        (b"Subject: Re: s", b"Subject: Re: s\r\nSubject: t", "twice"),
        (b"Subject: Re: s", b"Subject: Re: s\nBcc: x@evil.example", "a line end inside"),
        (b"Subject: Re: s", b"Subject: " + b"s" * 999, "a line of"),
        (b"Subject: Re: s", b"Subject: Re: s\r\n \t", "a blank line"),
    ],
)
def test_the_oracle_sees_what_is_not_ours_in_an_answer(old: bytes, new: bytes, fault: str) -> None:
    message = invariants.read(MAIL).message
    sound = compose(invariants.reply_headers(message, "a@b.example"), RenderedAnswer("hi", "<p>hi</p>")).content
    assert list(invariants.header_faults(sound)) == []
    assert [one for one in invariants.header_faults(sound.replace(old, new, 1)) if fault in one]
