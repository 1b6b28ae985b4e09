"""What counts as a finding of our own server, and what it says (RFC 8601)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reading.sent_mail import SERVER, passes

from mailflow.reading.authentication_results import Verdict, our_verdict, read_verdict

OURS = frozenset({SERVER})
PASS = passes("vendor.example")
RESULT = "dmarc=pass header.from=vendor.example"


@pytest.mark.parametrize(
    "value",
    [
        PASS,
        "mx.vendor.example;dmarc=pass header.from=vendor.example",
        "mx.vendor.example; dmarc=pass header.from=vendor.example;",  # a final semicolon
        "MX.Vendor.Example; DMARC=Pass Header.From=vendor.example",
        "mx.vendor.example 1; dmarc=pass header.from=vendor.example",
        "mx.vendor.example (our border; honest) 1; dmarc/1 = pass (p=REJECT dis=NONE) header.from = vendor.example",
        "(a (nested (comment)) first) mx.vendor.example; dmarc=pass header.from=vendor.example",
        'mx.vendor.example; spf=pass smtp.mailfrom="a; b"@vendor.example; dmarc=pass header.from=vendor.example',
        "mx.vendor.example;\r\n\tdkim=pass header.b=aB/+==;\r\n\tdmarc=pass header.from=vendor.example",
        "mx.vendor.example; spf=pass; dmarc=pass action=none header.from=vendor.example; compauth=pass reason=100",
        "mx.vendor.example; dmarc=pass policy.applied-disposition=none (p=reject,d=none) header.from=vendor.example",
        "mx.vendor.example; iprev=pass smtp.remote-ip=2001:db8::1 (mail); dmarc=pass header.from=vendor.example",
        "mx.vendor.example; spf=pass (für jo) smtp.mailfrom=jo; dmarc=pass header.from=vendor.example",
        'mx.vendor.example; arc=pass ("vendor.example:s=1:i=1"); dmarc=pass header.from=vendor.example',
        "mx.vendor.example; arc=pass (i=1 spf=pass dmarc=pass fromdomain=e); dmarc=pass header.from=vendor.example",
        "mx.vendor.example; dmarc=pass (a \\) in (a) comment) header.from=vendor.example",
        '"mx.vendor.example"; dmarc=pass header.from="vendor.example"',
        "mx.vendor.example; dmarc=pass header.from=jo@vendor.example",
    ],
)
def test_a_pass_is_read_in_every_way_that_servers_write_it(value: str) -> None:
    assert our_verdict([value], OURS) == Verdict(SERVER, "pass", "vendor.example")


@pytest.mark.parametrize("word", ["fail", "none", "temperror", "permerror", "bestguesspass", "quarantine", "passed"])
def test_the_result_is_the_word_of_the_server(word: str) -> None:
    verdict = our_verdict([f"mx.vendor.example; dmarc={word} header.from=vendor.example"], OURS)
    assert verdict == Verdict(SERVER, word, "vendor.example")


@pytest.mark.parametrize(
    "value",
    [
        "mx.vendor.example; none",
        "mx.vendor.example",
        "mx.vendor.example; spf=pass smtp.mailfrom=vendor.example",
        SERVER + ";",
    ],
)
def test_a_field_without_dmarc_says_nothing_of_it(value: str) -> None:
    assert our_verdict([value], OURS) == Verdict(SERVER)


@pytest.mark.parametrize(
    "value",
    [
        "",
        ";",
        "mx.evil.example; dmarc=pass header.from=vendor.example",
        "mx.vendor.example.evil.example; dmarc=pass header.from=vendor.example",
        "mx.vendor.example.; dmarc=pass header.from=vendor.example",
        "xmx.vendor.example; dmarc=pass header.from=vendor.example",
        "dmarc=pass header.from=vendor.example",
        "(mx.vendor.example) mx.evil.example; dmarc=pass header.from=vendor.example",
        "evil mx.vendor.example; dmarc=pass header.from=vendor.example",
        "mx.evil.example; x=mx.vendor.example; dmarc=pass header.from=vendor.example",
        # what a server that looks for its own name would not take for it
        "mx.vendor.example\u00a0; dmarc=pass header.from=vendor.example",
        "\u2003mx.vendor.example; dmarc=pass header.from=vendor.example",
        "mx.vendor.example\x0b; dmarc=pass header.from=vendor.example",
        "mx.vendor.ex\u00adample; dmarc=pass header.from=vendor.example",
        "ｍｘ.vendor.example; dmarc=pass header.from=vendor.example",
    ],
)
def test_a_field_of_another_host_is_not_ours(value: str) -> None:
    assert our_verdict([value], OURS) is None
    assert our_verdict([value, PASS], OURS) == Verdict(SERVER, "pass", "vendor.example")


def test_a_kelvin_sign_is_no_k() -> None:
    assert (
        our_verdict(["des\u212a.example; dmarc=pass header.from=vendor.example"], frozenset({"desk.example"})) is None
    )


@pytest.mark.parametrize(
    "value",
    [
        "a=b mx.vendor.example; dmarc=pass header.from=vendor.example",
        "=; x=mx.vendor.example; dmarc=pass header.from=vendor.example",
        "; mx.vendor.example; dmarc=pass header.from=vendor.example",
        "(mx.vendor.example; dmarc=pass header.from=vendor.example",
        "(mx.vendor.example); dmarc=pass header.from=vendor.example",
    ],
)
def test_a_field_that_names_us_but_no_author_proves_nothing_and_hides_what_is_below(value: str) -> None:
    verdict = our_verdict([value, PASS], OURS)
    assert verdict is not None
    assert (verdict.dmarc, bool(verdict.problem)) == ("", True)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("mx.vendor.example; dmarc=fail (never ends header.from=vendor.example", "cannot be read"),
        ("mx.vendor.example; dmarc=pass header.from=vendor.example (open", "cannot be read"),
        ("mx.vendor.example; dmarc=pass header.from=vendor.example (open \\)", "cannot be read"),
        ('mx.vendor.example; dmarc=pass header.from=vendor.example; spf=pass smtp.mailfrom="open', "cannot be read"),
        ('mx.vendor.example; dmarc=pass header.from=vendor.example; spf=pass smtp.mailfrom="open\\"', "cannot be read"),
        ("mx.vendor.example 2; dmarc=pass header.from=vendor.example", "cannot be read"),
        ("mx.vendor.example evil; dmarc=pass header.from=vendor.example", "cannot be read"),
        (f"{PASS} ({'x' * 20_000})", "cannot be read"),
        # an envelope address that breaks out of the comment that repeats it
        (
            'mx.vendor.example; spf=pass (domain of "x); dmarc=pass header.from=vendor.example; a=(b"@e designates)',
            "cannot be read",
        ),
        # words of the sender on both sides hide what the server found
        (
            f'mx.vendor.example; spf=pass smtp.mailfrom=x; {RESULT}; a="; dmarc=fail; dkim=pass header.i="',
            "gives several DMARC results",
        ),
        (f"mx.vendor.example; a=x; {RESULT}; a=(; dmarc=fail; dkim=pass header.i=)", "gives several DMARC results"),
        (f"mx.vendor.example; a=x; ((x)){RESULT}; a=(; dmarc=fail; b=)", "gives several DMARC results"),
        (f"{PASS}{'; a=b' * 4_000}; dmarc=fail", "cannot be read"),
        (f"{PASS}; dmarc=fail header.from=v", "gives several DMARC results"),
        (f"{PASS}; dmarc=pass header.from=vendor.example", "gives several DMARC results"),
        (f"{PASS}; DMARC/1 =none", "gives several DMARC results"),
        (f"{PASS} header.from=evil.example", "names several header.from"),
    ],
)
def test_what_is_unclear_is_a_problem_and_no_result(value: str, problem: str) -> None:
    assert our_verdict([value, PASS], OURS) == Verdict(SERVER, problem=problem)


@pytest.mark.parametrize(
    "value",
    [
        'mx.vendor.example; spf=pass smtp.mailfrom="x; dmarc=pass header.from=vendor.example"',
        "mx.vendor.example; spf=pass (; dmarc=pass header.from=vendor.example)",
        'mx.vendor.example; dkim=fail reason="x; dmarc=pass header.from=vendor.example"',
        "mx.vendor.example; spf=pass smtp.mailfrom==?utf-8?q?=3Bdmarc=3Dpass_header.from=3Dvendor.example?=@e",
        "mx.vendor.example; spf=pass smtp.mailfrom=dmarc=pass",
        "mx.vendor.example; x-dmarc=pass header.from=vendor.example",
        f'mx.vendor.example; ""{RESULT}; a=(; dmarc=fail; dkim=pass header.i=)',
        'mx.vendor.example; "d"mar"c"=pass header.from=vendor.example',
        'mx.vendor.example; "dmarc"=pass header.from=vendor.example',
    ],
)
def test_words_of_the_sender_make_no_result(value: str) -> None:
    verdict = our_verdict([value], OURS)
    assert verdict is not None
    assert verdict.dmarc == ""


def test_words_of_the_sender_make_no_property() -> None:
    for reason in (
        '"x header.from=vendor.example"',
        '"x\\" header.from=vendor.example"',
        "(header.from=vendor.example)",
    ):
        assert our_verdict([f"mx.vendor.example; dmarc=pass reason={reason}"], OURS) == Verdict(SERVER, "pass", "")


def test_the_topmost_of_ours_counts_whatever_stands_around_it() -> None:
    foreign = "mx.relay.example; dmarc=fail header.from=vendor.example"
    fail = "mx.vendor.example; dmarc=fail header.from=vendor.example"
    assert our_verdict([foreign, PASS, fail], OURS) == Verdict(SERVER, "pass", "vendor.example")
    assert our_verdict([foreign, fail, PASS], OURS) == Verdict(SERVER, "fail", "vendor.example")
    assert our_verdict(["mx.vendor.example; none", PASS], OURS) == Verdict(SERVER)


_HOSTILE = st.lists(
    st.sampled_from([*';=/()"\\.@ \t\r\n', "dmarc=pass", "header.from=", "vendor.example", SERVER, "é", "\u00a0"]),
    max_size=12,
).map("".join)


@given(_HOSTILE)
def test_every_text_is_read(value: str) -> None:
    verdict = read_verdict(value)
    assert not (verdict.problem and verdict.dmarc)


@given(st.text(st.characters(exclude_characters='"\\'), max_size=60))
def test_nothing_inside_quotes_makes_a_result(words: str) -> None:
    field = f'mx.vendor.example; spf=pass smtp.mailfrom="{words}"@evil.example; dmarc=fail header.from=vendor.example'
    assert read_verdict(field).dmarc == "fail"


@given(st.text(st.characters(exclude_characters='()"\\'), max_size=60))
def test_nothing_inside_a_comment_makes_a_result(words: str) -> None:
    field = f"mx.vendor.example; spf=pass (domain of {words}); dmarc=fail header.from=vendor.example"
    assert read_verdict(field).dmarc == "fail"


@given(_HOSTILE, _HOSTILE)
def test_no_words_that_a_careless_server_repeats_turn_a_fail_into_a_pass(mailfrom: str, selector: str) -> None:
    """A server that escapes nothing: the sender's words stand bare, in a comment, before and behind the result."""
    for before, behind in (
        (mailfrom, selector),
        (f"({mailfrom})", f"({selector})"),
        (f'"{mailfrom}"', f'"{selector}"'),
    ):
        field = (
            f"mx.vendor.example; spf=pass smtp.mailfrom={before}; dmarc=fail header.from=vendor.example; "
            f"dkim=pass header.i={behind}"
        )
        assert read_verdict(field).dmarc != "pass"
