"""Domain names in the form to compare and the form to look at; whose names are shared by strangers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.domain_name import is_domain_name, is_shared, organisation, to_ascii, to_unicode


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Firm.Example", "firm.example"),
        ("firm.example.", "firm.example"),
        (" firm.example ", "firm.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # not composed
        ("xn--BCHER-kva.example", "xn--bcher-kva.example"),
        ("stra\u00dfe.example", "xn--strae-oqa.example"),  # IDNA 2008: not strasse
        ("\u65e5\u672c.example", "xn--wgv71a.example"),
    ],
)
def test_the_form_to_compare(written: str, compared: str) -> None:
    assert to_ascii(written) == compared
    assert is_domain_name(compared)


@pytest.mark.parametrize(
    "disguise", ["\uff46irm.example", "des\u212a.example", "\ufb01rm.example", "fi\u00adrm.example"]
)
def test_a_label_that_only_maps_to_ascii_stays_a_disguise(disguise: str) -> None:
    assert not to_ascii(disguise).isascii()


def test_the_form_to_look_at() -> None:
    assert to_unicode("mail.xn--bcher-kva.example") == "mail.b\u00fccher.example"
    assert to_unicode("xn--\u00fc.example") == "xn--\u00fc.example"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "firm",
        "firm..example",
        "-firm.example",
        "firm-.example",
        "fi_rm.example",
        "firm.example.",
        "10.0.0.1",
        "a b.example",
        *["x" * 64 + ".example", ".".join(["x" * 60] * 5), "xn--a-.example", "f\u00fcrm.example", "jo@firm.example"],
    ],
)
def test_what_is_no_domain_name(name: str) -> None:
    assert not is_domain_name(name)


@pytest.mark.parametrize(
    ("domain", "name_and_suffix"),
    [
        ("firm.example", ("firm", "example")),
        ("mail.in.firm.example", ("firm", "example")),
        ("firm.co.uk", ("firm", "co.uk")),
        ("mail.firm.com.br", ("firm", "com.br")),
        ("mail.firm.onmicrosoft.com", ("firm", "onmicrosoft.com")),
        ("co.uk", ("co", "uk")),
        ("example", ("", "example")),
        ("", ("", "")),
    ],
)
def test_the_name_that_a_company_chose(domain: str, name_and_suffix: tuple[str, str]) -> None:
    assert organisation(domain) == name_and_suffix


@pytest.mark.parametrize("domain", ["com", "co.uk", "com.br", "or.jp", "onmicrosoft.com", "github.io", ""])
def test_domains_that_strangers_share(domain: str) -> None:
    assert is_shared(domain)


@pytest.mark.parametrize("domain", ["firm.com", "firm.co.uk", "firm.onmicrosoft.com", "co.firm.example", "com.example"])
def test_domains_that_one_company_has(domain: str) -> None:
    assert not is_shared(domain)


@given(st.text(max_size=90) | st.text("xn-a1\u00fc.\u3002\u212a\uff46", max_size=40).map("xn--{}".format))
def test_every_text_has_both_forms(text: str) -> None:
    compared = to_ascii(text)
    assert to_ascii(compared) == compared
    assert isinstance(to_unicode(compared), str)
    assert isinstance(is_domain_name(compared), bool)
    assert isinstance(organisation(compared), tuple)
