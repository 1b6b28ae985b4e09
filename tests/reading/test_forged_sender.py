"""D2 against an adversary: he writes every field of his mail, we own the topmost Authentication-Results, or none.

What our server does (RFC 8601, 5): it removes fields that carry its name, and puts its own on top.
"""

from hypothesis import example, given
from hypothesis import strategies as st
from tests.reading.sent_mail import DESK, DIRECTORY, SERVER, message

from mailflow.core.message import Trust
from mailflow.reading.authentication_results import read_verdict
from mailflow.reading.sender import identify

_SPACES = st.sampled_from(["", " ", "\t", "\r\n ", "  ", "\u00a0", "\u2003", "\x0b", "(c)", "((n) c)", "(", '"', "\\"])
_NAMES = st.sampled_from(
    (
        SERVER,
        SERVER.upper(),
        f'"{SERVER}"',
        f"{SERVER}.",
        f"x.{SERVER}",
        f"{SERVER}.evil.example",
        "mx.evil.example",
        f"a={SERVER}",
        f"({SERVER})",
        SERVER.replace("x", "\uff58"),
        f"evil {SERVER}",
        "",
        "=",
        "\ufeff" + SERVER,
    )
)
_RESULTS = st.sampled_from(
    [
        "dmarc=pass",
        "DMARC = Pass",
        "dmarc/1=pass",
        "spf=pass",
        "none",
        f"x={SERVER}",
        "dkim=pass",
        '"dmarc"=pass',
        "arc=pass",
    ]
)
_PROPERTIES = st.sampled_from(
    [
        "header.from=vendor.example",
        "header . from = vendor.example",
        'header.from="partner.example"',
        "header.from=@vendor.example",
        "header.from=partner.example",
        "smtp.mailfrom=jo@vendor.example",
        "action=none",
        "",
    ]
)
_CLAUSES = st.tuples(_SPACES, _RESULTS, _SPACES, _PROPERTIES, _SPACES).map("".join)
_FIELDS = st.builds(
    lambda before, name, behind, clauses: before + name + behind + ";" + ";".join(clauses),
    _SPACES,
    _NAMES,
    _SPACES,
    st.lists(_CLAUSES, max_size=3),
)
_FIELD_NAMES = st.sampled_from(
    [
        "Authentication-Results",
        "authentication-results",
        "ARC-Authentication-Results",
        "X-Authentication-Results",
        "Authentication-Results ",
        "Received-SPF",
        "Subject",
    ]
)
_AUTHORS = st.sampled_from(["jo@vendor.example", "ada@partner.example", "Jo@VENDOR.example", "x@in.partner.example"])
_FORGED = st.lists(st.tuples(_FIELD_NAMES, _FIELDS), max_size=4)
_HONEST = [
    f"{SERVER}; none",
    f"{SERVER}; spf=fail smtp.mailfrom=evil.example; dmarc=fail header.from=vendor.example",
    f"{SERVER}; spf=pass smtp.mailfrom=evil.example; dkim=pass header.d=e; dmarc=none header.from=vendor.example",
    f"{SERVER}; dmarc=pass header.from=evil.example",
]


@given(_AUTHORS, st.sampled_from(_HONEST), _FORGED)
def test_no_field_below_ours_makes_anybody_known(author: str, ours: str, forged: list[tuple[str, str]]) -> None:
    sender = identify(message(author, ours, more_fields=tuple(forged)), DESK, DIRECTORY)
    assert (sender.trust, sender.partner) == (Trust.UNAUTHENTICATED, None)


@given(_AUTHORS, _FORGED)
@example("jo@vendor.example", [("Authentication-Results", f"a=b {SERVER}; dmarc=pass header.from=vendor.example")])
@example("jo@vendor.example", [("Authentication-Results", f"; x={SERVER}; dmarc=pass header.from=vendor.example")])
def test_without_a_field_of_ours_only_one_that_carries_our_name_could(
    author: str, forged: list[tuple[str, str]]
) -> None:
    removed = tuple(field for field in forged if read_verdict(field[1]).authserv_id != SERVER)
    sender = identify(message(author, more_fields=removed), DESK, DIRECTORY)
    assert (sender.trust, sender.partner) == (Trust.UNAUTHENTICATED, None)


@given(_AUTHORS, _SPACES, _SPACES, _CLAUSES, _CLAUSES)
def test_words_of_the_sender_inside_our_field_never_make_a_pass(
    author: str, before: str, behind: str, one: str, two: str
) -> None:
    """Even from a server that repeats them as they are, on both sides of its own result."""
    ours = f"{SERVER}; spf=pass smtp.mailfrom={before};{one}; dmarc=fail header.from=vendor.example; a={behind};{two}"
    assert identify(message(author, ours), DESK, DIRECTORY).trust is Trust.UNAUTHENTICATED


@given(st.sampled_from(["jo@vendor.example", "ada@partner.example"]), _FORGED)
def test_no_field_below_ours_takes_a_proof_away(author: str, forged: list[tuple[str, str]]) -> None:
    ours = f"{SERVER}; dmarc=pass header.from={author.partition('@')[2]}"
    assert identify(message(author, ours, more_fields=tuple(forged)), DESK, DIRECTORY).trust is Trust.KNOWN
