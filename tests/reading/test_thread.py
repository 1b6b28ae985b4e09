"""Threads: identifiers (RFC 5322, 3.6.4), the subject as a hint, and tokens that cannot be made without the secret."""

import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailflow.core.message import InboundMessage
from mailflow.reading import thread
from mailflow.testing import inbound

SECRET = b"a secret of the tests"
thread_ids = st.integers(0, 2**63 - 1)
identifiers = st.one_of(
    st.text(string.printable + "é日<>@[] ", max_size=80),
    st.builds("{}@{}".format, st.text(string.ascii_letters + ".-", max_size=400), st.text("abc.", max_size=300)),
)


def message(
    references: tuple[str, ...] = (), in_reply_to: tuple[str, ...] = (), message_id: str = "parent@partner.example"
) -> InboundMessage:
    return InboundMessage(
        message_id=message_id,
        from_=None,
        reply_to=(),
        return_path=None,
        to=(),
        cc=(),
        subject="",
        date=None,
        in_reply_to=in_reply_to,
        references=references,
        text="",
        new_spans=(),
        content_spans=(),
        attachments=(),
        language="",
        headers=(),
    )


def own_id(thread_id: int, token: str, unique: str = "x1") -> str:
    return f"mf.{thread_id}.{token}.{unique}@vendor.example"


# Candidates


def test_references_newest_first_then_in_reply_to_without_duplicates() -> None:
    mail = message(references=("a@x", "b@x", "a@x"), in_reply_to=("b@x", "c@x"))
    assert thread.candidates(mail) == ("a@x", "b@x", "c@x")
    assert thread.candidates(message(references=("old@x", "new@x"))) == ("new@x", "old@x")


def test_at_most_fifty_candidates_and_the_newest_of_them() -> None:
    found = thread.candidates(message(references=tuple(f"{n}@x" for n in range(200))))
    assert len(found) == 50
    assert found[0] == "199@x"


# Subject


@pytest.mark.parametrize(
    "subject",
    [
        "NFR licence",
        "Re: NFR licence",
        "RE: FW: NFR  licence",
        "AW: WG: NFR licence",
        "SV: VS: NFR licence",
        "RV: TR: NFR licence",
        "Re[2]: Fwd(3): NFR licence",
        "R: I: NFR licence",
        "Odp: PD: NFR licence",
        "Antw: Doorst: NFR licence",
        "回复： 转发: NFR licence",
        "[PHD #12] Re: [partner] NFR licence",
        "Re: NFR licence [#4711]",
        "  nfr LICENCE ",
    ],
)
def test_prefixes_tags_and_case_do_not_change_the_key(subject: str) -> None:
    assert thread.subject_key(subject) == "nfr licence"


@pytest.mark.parametrize("subject", ["Report: NFR", "Renewal", "Retry: again", "Internal: note", "AWS: account"])
def test_words_that_begin_like_a_prefix_stay(subject: str) -> None:
    assert thread.subject_key(subject) == subject.casefold()


@given(st.text(max_size=60))
def test_the_key_of_a_key_is_itself_and_an_answer_has_the_same(subject: str) -> None:
    key = thread.subject_key(subject)
    assert thread.subject_key(key) == key
    assert thread.subject_key("Re: " + subject) == key


# Tokens


@given(st.binary(min_size=1), thread_ids, st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=30))
def test_a_token_reads_back(secret: bytes, thread_id: int, unique: str) -> None:
    message_id = own_id(thread_id, thread.reply_token(secret, thread_id), unique)
    assert thread.read_token(secret, message_id) == thread_id
    assert thread.read_token(secret, f" <{message_id}>") == thread_id
    assert thread.is_valid_id(message_id)


@given(thread_ids, st.text(string.ascii_lowercase + "234567", min_size=16, max_size=16))
def test_a_guessed_token_is_refused(thread_id: int, token: str) -> None:
    assume(token != thread.reply_token(SECRET, thread_id))
    assert thread.read_token(SECRET, own_id(thread_id, token)) is None


@given(thread_ids, thread_ids)
def test_a_token_of_another_thread_is_refused(thread_id: int, other: int) -> None:
    assume(thread_id != other)
    assert thread.read_token(SECRET, own_id(thread_id, thread.reply_token(SECRET, other))) is None


@given(thread_ids, st.binary(min_size=1))
def test_a_token_made_with_another_secret_is_refused(thread_id: int, other: bytes) -> None:
    assume(other.rstrip(b"\0") != SECRET)  # HMAC pads short keys with zeros
    assert thread.read_token(SECRET, own_id(thread_id, thread.reply_token(other, thread_id))) is None


@given(identifiers)
def test_whatever_the_identifier_is_only_ours_are_read(message_id: str) -> None:
    assert thread.read_token(SECRET, message_id) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        "mf.07.{token}.x@vendor.example",  # an id written in another way
        "mf.7.{token}@vendor.example",  # without the unique part
        "mf.7.{TOKEN}.x@vendor.example",
        "mf.7.{token}=.x@vendor.example",
        "xmf.7.{token}.x@vendor.example",
        "mf.7.{token}.x",
        "mf.7.{token}.x@vendor.example\nBcc: eve@evil.example",
        "mf.٧.{token}.x@vendor.example",  # an Arabic seven
    ],
)
def test_forms_that_we_never_write_are_refused(spoilt: str) -> None:
    token = thread.reply_token(SECRET, 7)
    assert thread.read_token(SECRET, spoilt.format(token=token, TOKEN=token.upper())) is None


def test_the_token_has_eighty_bits_and_nothing_works_without_a_secret() -> None:
    assert len(thread.reply_token(SECRET, 7)) * 5 == 80
    with pytest.raises(ValueError, match="empty"):
        thread.reply_token(b"", 7)
    with pytest.raises(ValueError, match="-1"):
        thread.reply_token(SECRET, -1)
    assert thread.read_token(b"", own_id(7, "a" * 16)) is None


# References of the answer


def test_references_and_then_the_parent() -> None:
    assert thread.references_for_reply(message(("a@x", "b@x"))) == ("a@x", "b@x", "parent@partner.example")


def test_in_reply_to_stands_in_only_if_it_is_single() -> None:
    assert thread.references_for_reply(message(in_reply_to=("a@x",))) == ("a@x", "parent@partner.example")
    assert thread.references_for_reply(message(in_reply_to=("a@x", "b@x"))) == ("parent@partner.example",)


def test_an_invented_message_id_is_not_told_to_anybody() -> None:
    assert thread.references_for_reply(message(message_id=f"gen-{'0' * 64}@mailflow.invalid")) == ()


def test_invalid_and_repeated_identifiers_are_left_out() -> None:
    mail = message(("a@x", "no at", "b@x>\r\nBcc: eve@evil.example", "ü@x", "a@x", "@x", "a@", "a@b@c", "c@[10.0.0.1]"))
    assert thread.references_for_reply(mail) == ("a@x", "c@[10.0.0.1]", "parent@partner.example")


def test_the_middle_goes_first() -> None:
    found = thread.references_for_reply(message(tuple(f"{n}.{'r' * 50}@partner.example" for n in range(60))))
    assert found[0].startswith("0.")
    assert found[-1] == "parent@partner.example"
    assert found[-2].startswith("59.")
    assert len(found) > 8


@given(st.lists(identifiers, max_size=60), st.lists(identifiers, max_size=3), identifiers)
def test_references_are_always_valid_unique_and_fit(references: list[str], in_reply_to: list[str], own: str) -> None:
    found = thread.references_for_reply(message(tuple(references), tuple(in_reply_to), own))
    field = " ".join(f"<{each}>" for each in found)
    assert len(field) <= 900
    assert field.isascii()
    assert field.isprintable()
    assert all(map(thread.is_valid_id, found))
    assert len(set(found)) == len(found)


# ------------------------------------------------------------------ clues


def test_clues_are_read_newest_reference_first_and_tokens_apart() -> None:
    own = f"mf.7.{thread.reply_token(SECRET, 7)}.x@gitlab.com"
    found = thread.clues(inbound(references=("old@a.example", own, "new@a.example")), (), SECRET)
    assert found.message_ids == ("new@a.example", own, "old@a.example")
    assert found.tokens == (7,)
    assert found.requester == "ann@partner.example"


@pytest.mark.parametrize("field", ["to", "cc", "Delivered-To", "X-Original-To", "Envelope-To"])
def test_a_plus_address_of_ours_names_its_thread_wherever_it_stands(field: str) -> None:
    address = thread.reply_address(SECRET, 7, "desk@gitlab.com")
    values: dict[str, Any] = {field: (address,)} if field in ("to", "cc") else {"headers": ((field, f"<{address}>"),)}
    assert thread.clues(inbound(**values), (), SECRET).tokens == (7,)
    assert thread.clues(inbound(**values), (), b"another secret").tokens == ()


def test_identifiers_that_a_bounce_gives_back_count_as_references() -> None:
    own = f"mf.7.{thread.reply_token(SECRET, 7)}.x@gitlab.com"
    assert thread.clues(inbound(), (own,), SECRET).tokens == (7,)


@pytest.mark.parametrize(
    ("subject", "tags"),
    [
        ("Re: [MF-12] licence", (12,)),
        ("licence [mf-12][MF-13]", (12, 13)),
        ("[MF-0] [MF-x] [MF-] MF-12 (MF-12)", ()),
        ("[MF-1][MF-2][MF-3][MF-4]", (1, 2, 3)),
        ("[MF-99999999999999999999]", ()),
    ],
)
def test_subject_tags(subject: str, tags: tuple[int, ...]) -> None:
    assert thread.clues(inbound(subject=subject), (), SECRET).tags == tags


@pytest.mark.parametrize(
    ("subject", "key"),
    [
        ("Re: Licence", ""),
        ("", ""),
        ("Re: [EXT] Licence for the lab", "licence for the lab"),
        ("AW: WG: Angebot 7", "angebot 7"),
    ],
)
def test_a_subject_of_one_word_is_no_clue(subject: str, key: str) -> None:
    assert thread.clues(inbound(subject=subject), (), SECRET).subject_key == key


@given(subject=st.text(max_size=80), references=st.lists(st.text(max_size=40), max_size=5), to=st.text(max_size=60))
def test_nothing_that_a_sender_writes_makes_a_token(subject: str, references: list[str], to: str) -> None:
    found = thread.clues(inbound(subject=subject, references=tuple(references), to=(to,)), (), SECRET)
    assert found.tokens == ()
