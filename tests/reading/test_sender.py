"""Trust: what our own server says, and nothing else, proves a sender (D1, D2; RFC 8601)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.message import Address, InboundMessage, Role, Trust
from mailflow.reading.parse import parse
from mailflow.reading.sender import Desk, identify, is_lookalike, read_verdict

DESK = Desk(
    addresses=frozenset({"desk@vendor.example"}),
    own_domains=frozenset({"vendor.example"}),
    trusted_authserv_ids=frozenset({"mx.vendor.example"}),
)
PARTNERS = {"partner.example": "Partner Ltd", "gmail.com": "a slip in the directory"}
PASS = "mx.vendor.example; dmarc=pass header.from=vendor.example"


def message(
    author: str | None = "jo@vendor.example",
    *results: str,
    from_fields: tuple[str, ...] = (),
    reply_to: tuple[str, ...] = (),
    name: str = "Jo",
) -> InboundMessage:
    fields = [("Authentication-Results", value) for value in results]
    fields += [("From", value) for value in from_fields or ((f"{name} <{author}>",) if author else ())]
    return InboundMessage(
        message_id="1@vendor.example",
        from_=Address(name, author) if author else None,
        reply_to=tuple(Address("", each) for each in reply_to),
        return_path=None,
        to=(),
        cc=(),
        subject="",
        date=None,
        in_reply_to=(),
        references=(),
        text="",
        new_spans=(),
        content_spans=(),
        attachments=(),
        language="",
        headers=tuple(fields),
    )


def role(mail: InboundMessage) -> Role:
    return identify(mail, DESK, PARTNERS).role


@pytest.mark.parametrize(
    "result",
    [
        PASS,
        "mx.vendor.example;dmarc=pass header.from=vendor.example",
        "MX.Vendor.Example; DMARC=Pass Header.From=Vendor.Example",
        "mx.vendor.example 1; dmarc=pass header.from=vendor.example",
        "mx.vendor.example (our border; honest) 1; dmarc/1 = pass (p=REJECT dis=NONE) header.from = vendor.example",
        'mx.vendor.example; spf=pass smtp.mailfrom="a; b"@vendor.example; dmarc=pass header.from=vendor.example',
        "mx.vendor.example;\r\n\tdkim=pass header.b=aB/+==;\r\n\tdmarc=pass header.from=vendor.example",
        "mx.vendor.example; spf=pass; dmarc=pass action=none header.from=vendor.example; compauth=pass reason=100",
        "mx.vendor.example; dmarc=pass (a \\) in (a) comment) header.from=vendor.example",
        '"mx.vendor.example"; dmarc=pass header.from="vendor.example"',
    ],
)
def test_dmarc_pass_of_our_server_makes_a_colleague(result: str) -> None:
    sender = identify(message("jo@vendor.example", result), DESK)
    assert (sender.role, sender.trust, sender.flags) == (Role.INTERNAL, Trust.KNOWN, ())
    assert sender.reason == "mx.vendor.example says dmarc=pass for vendor.example"


@pytest.mark.parametrize(
    "results",
    [
        (),
        ("mx.vendor.example; none",),
        ("mx.vendor.example",),
        ("",),
        ("mx.vendor.example; dmarc=fail header.from=vendor.example",),
        ("mx.vendor.example; dmarc=none header.from=vendor.example",),
        ("mx.vendor.example; dmarc=temperror header.from=vendor.example",),
        ("mx.vendor.example; dmarc=bestguesspass header.from=vendor.example",),
        ("mx.vendor.example; dmarc=pass",),
        ("mx.vendor.example; dmarc=pass header.from=other.example",),
        ("mx.vendor.example; dmarc=pass header.from=mail.vendor.example",),
        ("mx.vendor.example; spf=pass smtp.mailfrom=vendor.example; dkim=pass header.d=vendor.example",),
        # another host
        ("mx.evil.example; dmarc=pass header.from=vendor.example",),
        ("mx.vendor.example.evil.example; dmarc=pass header.from=vendor.example",),
        ("dmarc=pass header.from=vendor.example",),
        ("(mx.vendor.example) mx.evil.example; dmarc=pass header.from=vendor.example",),
        ("evil mx.vendor.example; dmarc=pass header.from=vendor.example",),
        # ours stands on top of a forged one, whatever stands on top of ours
        ("mx.vendor.example; dmarc=fail header.from=vendor.example", PASS),
        ("mx.vendor.example; none", PASS),
        ("mx.evil.example; dmarc=pass header.from=vendor.example", "mx.vendor.example; dmarc=fail"),
        ("mx.vendor.example; dmarc=fail (never ends header.from=vendor.example", PASS),
        ("(mx.vendor.example; dmarc=fail", PASS),
        # words of the sender inside our field
        ("mx.vendor.example; spf=pass; dmarc=pass header.from=vendor.example; dmarc=fail header.from=v",),
        ('mx.vendor.example; spf=pass smtp.mailfrom="x; dmarc=pass header.from=vendor.example"',),
        ("mx.vendor.example; spf=pass (; dmarc=pass header.from=vendor.example)",),
        ("mx.vendor.example; spf=pass smtp.mailfrom==?utf-8?q?=3Bdmarc=3Dpass_header.from=3Dvendor.example?=@e",),
        ("mx.vendor.example; dmarc=pass header.from=evil.example header.from=vendor.example",),
        ('mx.vendor.example; dmarc=pass header.from=vendor.example; spf=pass smtp.mailfrom="open',),
        ("mx.vendor.example; dmarc=pass header.from=vendor.example (open",),
    ],
)
def test_anything_else_leaves_an_unknown_without_proof(results: tuple[str, ...]) -> None:
    sender = identify(message("jo@vendor.example", *results), DESK)
    assert (sender.role, sender.trust) == (Role.UNKNOWN, Trust.UNAUTHENTICATED)
    assert "no_proof" in sender.flags
    assert sender.reason


def test_a_foreign_result_on_top_does_not_spoil_ours() -> None:
    assert role(message("jo@vendor.example", "mx.relay.example; dmarc=fail", PASS)) is Role.INTERNAL


@pytest.mark.parametrize(
    "from_fields",
    [
        ("Jo <jo@vendor.example>, Eve <eve@evil.example>",),
        ("Jo <jo@vendor.example>", "Eve <eve@evil.example>"),
        ("Jo <jo@vendor.example>", "Jo <jo@vendor.example>"),
        ("Team: jo@vendor.example, eve@evil.example;",),
        ("Jo <jo@vendor.example>" + " " * 3000 + ", Eve <eve@evil.example>",),
        ("eve@evil.example <jo@vendor.example>",),
    ],
)
def test_several_authors_are_no_proof(from_fields: tuple[str, ...]) -> None:
    assert role(message("jo@vendor.example", PASS, from_fields=from_fields)) is Role.UNKNOWN


@pytest.mark.parametrize(
    "field", ['"jo@work" <jo@vendor.example>', "jo@vendor.example", "Jo (at jo@home) <Jo@Vendor.Example>"]
)
def test_an_address_in_a_name_or_comment_is_no_second_author(field: str) -> None:
    assert role(message("jo@vendor.example", PASS, from_fields=(field,))) is Role.INTERNAL


def test_a_subdomain_is_own_only_if_it_is_listed() -> None:
    mail = message("jo@mail.vendor.example", "mx.vendor.example; dmarc=pass header.from=mail.vendor.example")
    assert identify(mail, DESK).role is Role.UNKNOWN
    assert identify(mail, DESK).trust is Trust.ALIGNED
    listed = Desk(DESK.addresses, DESK.own_domains | {"mail.vendor.example"}, DESK.trusted_authserv_ids)
    assert identify(mail, listed).role is Role.INTERNAL


@pytest.mark.parametrize(
    ("author", "trust", "expected"),
    [
        ("ada@partner.example", Trust.KNOWN, Role.PARTNER),
        ("bob@stranger.example", Trust.ALIGNED, Role.UNKNOWN),
        ("eve@gmail.com", Trust.ALIGNED, Role.UNKNOWN),  # A1: a free mail domain proves no company
    ],
)
def test_partners_and_strangers_with_proof(author: str, trust: Trust, expected: Role) -> None:
    mail = message(author, f"mx.vendor.example; dmarc=pass header.from={author.partition('@')[2]}")
    sender = identify(mail, DESK, PARTNERS)
    assert (sender.trust, sender.role) == (trust, expected)


def test_a_partner_without_proof_is_unknown() -> None:
    assert role(message("ada@partner.example")) is Role.UNKNOWN


def test_a_mail_without_author_is_unknown() -> None:
    assert identify(message(None, PASS), DESK).trust is Trust.UNAUTHENTICATED


@given(st.lists(st.text('mx.vendorexampl;dkimarcpsheadfo=()"\\ ', max_size=120), max_size=3))
def test_no_text_is_too_strange_to_read(results: list[str]) -> None:
    assert identify(message("jo@vendor.example", *results), DESK).trust in Trust


@given(st.text(st.characters(codec="ascii", exclude_characters='"\\'), max_size=60))
def test_nothing_inside_quotes_can_make_a_result(words: str) -> None:
    field = f'mx.vendor.example; spf=pass smtp.mailfrom="{words}"@evil.example; dmarc=fail header.from=vendor.example'
    assert read_verdict(field).dmarc == "fail"


# Flags


def flags(author: str, *reply_to: str) -> tuple[str, ...]:
    proof = f"mx.vendor.example; dmarc=pass header.from={author.partition('@')[2]}"
    return identify(message(author, proof, reply_to=reply_to), DESK, PARTNERS).flags


@pytest.mark.parametrize(
    ("author", "reply_to", "expected"),
    [
        ("ada@partner.example", (), ()),
        ("ada@partner.example", ("sales@partner.example",), ()),
        ("ada@partner.example", ("ada@elsewhere.example",), ("reply_to_differs",)),
        ("ada@partner.example", ("sales@partner.example", "x@elsewhere.example"), ("reply_to_differs",)),
        ("ada@gmail.com", ("Ada@gmail.com",), ("free_mail",)),
        ("ada@gmail.com", ("eve@gmail.com",), ("free_mail", "reply_to_differs")),
        ("ada@partner.example", ("ada@partnr.example",), ("lookalike_domain", "reply_to_differs")),
    ],
)
def test_flags_for_free_mail_and_reply_to(author: str, reply_to: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert flags(author, *reply_to) == expected


@pytest.mark.parametrize(
    "domain",
    [
        "vend0r.example",
        "vemdor.example",
        "vendors.example",
        "vndor.example",
        "evndor.example",
        "vendor.exarnple",
        "vendοr.example",  # a Greek omicron
        "xn--vendr-mye.example",  # a Cyrillic o
        "mail.vend0r.example",
        "vendor.example.evil.example",
        "véndor.example",
    ],
)
def test_domains_that_look_like_ours(domain: str) -> None:
    assert is_lookalike(domain, {"vendor.example"})


@pytest.mark.parametrize(
    "domain", ["vendor.example", "mail.vendor.example", "stranger.example", "vendor-shop.example", "vendor.test", ""]
)
def test_domains_that_do_not(domain: str) -> None:
    assert not is_lookalike(domain, {"vendor.example"})


def test_short_names_are_neighbours_by_chance() -> None:
    assert not is_lookalike("ac.de", {"ab.de"})


def test_a_partner_that_resembles_another_is_known_and_no_lookalike() -> None:
    assert not is_lookalike("acne.example", {"acme.example", "acne.example"})


def test_d2_an_encoded_word_never_becomes_a_result() -> None:
    """RFC 2047 has no place in a field of servers: what a sender hid in an envelope address proves nothing."""
    hidden = (
        'mx.gitlab.com; spf=pass smtp.mailfrom="=?utf-8?q?=3B_dmarc=3Dpass_header.from=3Dgitlab.com?="@evil.example'
    )
    content = f"Authentication-Results: {hidden}\r\nFrom: x@gitlab.com\r\n\r\nhello\r\n".encode()
    desk = Desk(frozenset(), frozenset({"gitlab.com"}), frozenset({"mx.gitlab.com"}))
    assert identify(parse(content), desk).role is not Role.INTERNAL
