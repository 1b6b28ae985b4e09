"""Trust: what our own server says, and nothing else, proves a sender (D1, D2). Role, flags and the partner."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reading.sent_mail import BRANCH, DESK, DIRECTORY, PARTNER, SERVER, message, passes

from mailflow.core.message import InboundMessage, Role, Sender, Trust
from mailflow.reading.sender import Desk, identify

PASS = passes("vendor.example")


def identified(mail: InboundMessage) -> Sender:
    return identify(mail, DESK, DIRECTORY)


# ---- colleagues ------------------------------------------------------------------------------------------------------


def test_dmarc_pass_of_our_server_makes_a_colleague() -> None:
    assert identified(message("jo@vendor.example", PASS)) == Sender(
        Role.INTERNAL, Trust.KNOWN, "mx.vendor.example says dmarc=pass for vendor.example"
    )


@pytest.mark.parametrize("author", ["Jo@Vendor.Example", "jo@vendor.example.", "JO@VENDOR.EXAMPLE."])
def test_case_and_a_final_dot_change_no_domain(author: str) -> None:
    assert identified(message(author, PASS)).role is Role.INTERNAL
    assert (
        identified(message("jo@vendor.example", f"{SERVER}; dmarc=pass header.from=Vendor.Example.")).role
        is Role.INTERNAL
    )


OURS = "mx.vendor.example"
SILENT: dict[str, tuple[str, ...]] = {
    "no Authentication-Results of our own server": ("mx.evil.example; dmarc=pass header.from=vendor.example",),
    f"{OURS} says dmarc=none": (f"{OURS}; dmarc=none header.from=vendor.example",),
    f"{OURS} says dmarc=temperror": (f"{OURS}; dmarc=temperror",),
    f"{OURS} says dmarc=permerror": (f"{OURS}; dmarc=permerror",),
    f"{OURS} says dmarc=(nothing)": (f"{OURS}; spf=pass smtp.mailfrom=vendor.example",),
}
"""Nothing for or against the sender."""
DENIED: dict[str, tuple[str, ...]] = {
    f"{OURS} says dmarc=fail": (f"{OURS}; dmarc=fail header.from=vendor.example", PASS),
    f"{OURS} says dmarc=quarantine": (f"{OURS}; dmarc=quarantine",),
    f"{OURS} says dmarc=pass for (no domain), but From is of vendor.example": (f"{OURS}; dmarc=pass",),
    f"{OURS} says dmarc=pass for mail.vendor.example, but From is of vendor.example": (
        f"{OURS}; dmarc=pass header.from=mail.vendor.example",
    ),
    f"{OURS} says dmarc=pass for vendor-group.example, but From is of vendor.example": (
        f"{OURS}; dmarc=pass header.from=vendor-group.example",
    ),
    f"the Authentication-Results of {OURS} gives several DMARC results": (f"{PASS}; dmarc=pass",),
    f"the Authentication-Results of {OURS} cannot be read": (f"{PASS} (open",),
    "the Authentication-Results names us, but not as the one who wrote it": (f"; {PASS}",),
}
"""It is not him, or nobody can tell whom our server speaks of."""


@pytest.mark.parametrize("sentence", SILENT)
def test_where_nothing_is_said_he_is_unknown_without_proof(sentence: str) -> None:
    expected = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, sentence, ("no_proof",))
    assert identified(message("jo@vendor.example", *SILENT[sentence])) == expected


@pytest.mark.parametrize("sentence", DENIED)
def test_who_is_denied_or_in_doubt_is_disproved(sentence: str) -> None:
    expected = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, sentence, ("no_proof", "disproved"))
    assert identified(message("jo@vendor.example", *DENIED[sentence])) == expected


def test_a_mail_that_no_server_of_ours_judged_has_no_proof() -> None:
    expected = ("no Authentication-Results of our own server", ("no_proof",))
    sender = identified(message("jo@vendor.example"))
    assert (sender.reason, sender.flags) == expected


def test_a_subdomain_is_own_only_if_it_is_listed() -> None:
    mail = message("jo@mail.vendor.example", passes("mail.vendor.example"))
    assert (identified(mail).role, identified(mail).trust) == (Role.UNKNOWN, Trust.ALIGNED)
    listed = Desk(DESK.addresses, DESK.own_domains | {"mail.vendor.example"}, DESK.trusted_authserv_ids)
    assert identify(mail, listed).role is Role.INTERNAL


def test_no_trusted_server_proves_nobody() -> None:
    desk = Desk(DESK.addresses, DESK.own_domains, frozenset())
    assert (
        identify(message("jo@vendor.example", PASS, "; dmarc=pass header.from=vendor.example"), desk).role
        is Role.UNKNOWN
    )


# ---- authors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "from_fields",
    [
        ("Jo <jo@vendor.example>, Eve <eve@evil.example>",),
        ("Eve <eve@evil.example>, Jo <jo@vendor.example>",),
        ("Jo <jo@vendor.example>", "Eve <eve@evil.example>"),
        ("Jo <jo@vendor.example>", "Jo <jo@vendor.example>"),
        ("Team: jo@vendor.example, eve@evil.example;",),
        ("Team: jo@vendor.example;, Eve <eve@evil.example>",),
        ("Jo <jo@vendor.example>" + " " * 3000 + ", Eve <eve@evil.example>",),
        ("eve@evil.example <jo@vendor.example>",),  # also what an encoded word turns into
        ('"Jo" <jo@vendor.example> "<" eve@evil.example',),
        ("Jo (a (nested) comment eve@evil.example) <jo@vendor.example>",),
        ("<jo@vendor.example> <eve@evil.example>",),
        ("eve@evil.example",),
        ("",),
        ("undisclosed:;",),
    ],
)
def test_several_authors_or_another_one_are_no_proof(from_fields: tuple[str, ...]) -> None:
    sender = identified(message("jo@vendor.example", PASS, from_fields=from_fields))
    assert (sender.role, sender.trust) == (Role.UNKNOWN, Trust.UNAUTHENTICATED)
    assert sender.reason.startswith("there is not exactly one From address")


@pytest.mark.parametrize(
    "field",
    [
        '"jo@work" <jo@vendor.example>',
        "jo@vendor.example",
        "Jo (at jo@home) <Jo@Vendor.Example>",
        "'jo@vendor.example' <jo@vendor.example>",
        "Team: Jo <jo@vendor.example>;",
        '"unclosed <jo@vendor.example>',
    ],
)
def test_an_address_in_a_name_or_comment_is_no_second_author(field: str) -> None:
    assert identified(message("jo@vendor.example", PASS, from_fields=(field,))).role is Role.INTERNAL


def test_a_stand_in_for_a_missing_from_is_no_author() -> None:
    mail = replace(
        message("jo@vendor.example", PASS), headers=(("Authentication-Results", PASS), ("Sender", "jo@vendor.example"))
    )
    assert identified(mail).trust is Trust.UNAUTHENTICATED


def test_a_mail_without_author_is_unknown() -> None:
    assert identified(message(None, PASS)) == Sender(
        Role.UNKNOWN, Trust.UNAUTHENTICATED, "there is no From address", ("no_proof", "disproved")
    )


# ---- partners and strangers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "partner"),
    [
        ("partner.example", PARTNER),
        ("partner.test", PARTNER),
        ("in.partner.example", PARTNER),  # whoever holds a domain holds what is below it
        ("branch.partner.example", BRANCH),  # unless it is listed itself
        ("a.branch.partner.example", BRANCH),
        ("bro\u00df.example", None),  # another name in IDNA 2008
        ("xn--bro-hoa.example", PARTNER),
        ("notpartner.example", None),
        ("partner.example.evil.example", None),
        ("example", None),
    ],
)
def test_a_proof_for_a_partners_domain_makes_the_partner_known(domain: str, partner: object) -> None:
    sender = identified(message(f"ada@{domain}", passes(domain)))
    assert sender.partner is partner
    expected = (Role.PARTNER, Trust.KNOWN) if partner else (Role.UNKNOWN, Trust.ALIGNED)
    assert (sender.role, sender.trust) == expected


def test_the_reason_names_the_company_that_is_proven() -> None:
    sender = identified(message("ada@partner.example", passes("partner.example")))
    assert sender.reason == "mx.vendor.example says dmarc=pass for partner.example, a domain of Partner Ltd"
    stranger = identified(message("bob@stranger.example", passes("stranger.example")))
    assert stranger.reason == "mx.vendor.example says dmarc=pass for stranger.example, which we do not know"


@pytest.mark.parametrize("written", ["b\u00fccher.example", "B\u00dcCHER.example", "xn--bcher-kva.example"])
@pytest.mark.parametrize("author", ["ada@b\u00fccher.example", "ada@xn--bcher-kva.example"])
def test_both_forms_of_an_international_domain_are_one(author: str, written: str) -> None:
    assert identified(message(author, passes(written))).trust is Trust.ALIGNED


@pytest.mark.parametrize("author", ["jo@\uff56endor.example", "jo@vendor\u3002example", "jo@vendor.ex\u00adample"])
def test_a_domain_that_only_turns_into_ours_is_not_ours(author: str) -> None:
    assert identified(message(author, PASS)).trust is Trust.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("results", "role"),
    [
        ((), Role.PARTNER),
        (("mx.vendor.example; none",), Role.PARTNER),
        (("mx.vendor.example; dmarc=none header.from=partner.example",), Role.PARTNER),
        (("mx.vendor.example; dmarc=temperror",), Role.PARTNER),
        (("mx.vendor.example; dmarc=permerror",), Role.PARTNER),
        (("mx.vendor.example; dmarc=fail header.from=partner.example",), Role.UNKNOWN),
        (("mx.vendor.example; dmarc=quarantine header.from=partner.example",), Role.UNKNOWN),
        (("mx.vendor.example; dmarc=pass header.from=evil.example",), Role.UNKNOWN),
        (("mx.vendor.example; dmarc=pass (open",), Role.UNKNOWN),
    ],
)
def test_a_claim_to_be_a_partner_is_a_role_until_our_server_denies_it(results: Sequence[str], role: Role) -> None:
    sender = identified(message("ada@partner.example", *results))
    assert (sender.role, sender.trust, sender.partner) == (role, Trust.UNAUTHENTICATED, None)


def test_free_mail_is_nobodys_whatever_the_directory_says() -> None:
    sender = identified(message("eve@gmail.com", passes("gmail.com")))
    assert (sender.role, sender.trust, sender.partner) == (Role.UNKNOWN, Trust.ALIGNED, None)
    assert sender.flags == ("free_mail",)


# ---- flags -----------------------------------------------------------------------------------------------------------


def flags(author: str, *reply_to: str, name: str = "Ada") -> tuple[str, ...]:
    return identified(message(author, passes(author.partition("@")[2]), reply_to=reply_to, name=name)).flags


@pytest.mark.parametrize(
    ("author", "reply_to", "differs"),
    [
        ("ada@partner.example", (), False),
        ("ada@partner.example", ("sales@partner.example",), False),
        ("ada@partner.example", ("Sales@PARTNER.example.",), False),
        ("ada@partner.example", ("sales@partner.test",), False),  # the same partner
        ("ada@in.partner.example", ("sales@partner.example",), False),
        ("ada@partner.example", ("x@branch.partner.example",), False),  # below it
        ("ada@stranger.example", ("x@mail.stranger.example",), False),
        ("jo@vendor.example", ("help@vendor-group.example",), False),  # both are ours
        ("ada@partner.example", ("ada@elsewhere.example",), True),
        ("ada@partner.example", ("sales@partner.example", "x@elsewhere.example"), True),
        ("ada@one.onmicrosoft.com", ("x@two.onmicrosoft.com",), True),
        ("ada@one.onmicrosoft.com", ("x@onmicrosoft.com",), True),
        ("ada@stranger.example", ("ada@gmail.com",), True),
        ("jo@vendor.example", ("x@partner.example",), True),
        ("ada@gmail.com", ("Ada@gmail.com",), False),
        ("ada@gmail.com", ("eve@gmail.com",), True),
    ],
)
def test_whether_reply_to_leaves_the_authors_organisation(author: str, reply_to: Sequence[str], differs: bool) -> None:
    assert ("reply_to_differs" in flags(author, *reply_to)) is differs


def test_reply_to_without_an_author_differs() -> None:
    assert "reply_to_differs" in identified(message(None, reply_to=("x@elsewhere.example",))).flags


@pytest.mark.parametrize(
    ("author", "name", "shows"),
    [
        ("x@evil.example", "Anna <anna@partner.example>", True),
        ("x@evil.example", "anna@partner.example", True),
        ("x@evil.example", "Anna (anna@vendor.example)", True),
        ("x@evil.example", "anna\uff20partner.example", True),
        ("x@gmail.com", "anna@gmail.com", True),
        ("anna@partner.example", "anna@partner.example", False),
        ("anna@partner.example", "Anna @ Partner", False),
        ("anna@partner.example", "help@partner.test", False),
        ("anna@partner.example", "[anna@mail.partner.example]", False),
        ("anna@gmail.com", "Anna@Gmail.com", False),
        ("anna@partner.example", "", False),
    ],
)
def test_a_name_that_shows_somebody_elses_address(author: str, name: str, shows: bool) -> None:
    assert ("name_shows_other_address" in flags(author, name=name)) is shows


def test_look_alikes_are_named_in_the_reason() -> None:
    sender = identified(message("ada@vend0r.example", passes("vend0r.example"), reply_to=("x@partmer.example",)))
    assert sender.flags == ("lookalike_domain", "reply_to_differs")
    assert sender.reason.endswith(
        "which we do not know; vend0r.example looks like vendor.example; partmer.example looks like partner.example"
    )


def test_what_is_known_is_no_lookalike() -> None:
    assert flags("jo@vendor.example") == flags("ada@partner.test") == flags("ada@new.partner.test") == ()


@given(st.text(max_size=80), st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_no_text_is_too_strange(name: str, author: str, results: list[str]) -> None:
    assert identified(message(author, *results, name=name, reply_to=(author, name))).trust is not Trust.KNOWN
