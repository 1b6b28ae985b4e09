"""Which domains could be taken for ours or a partner's, and which honest neighbours could not."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reading.sent_mail import partner

from mailflow.core.partner import PartnerDirectory
from mailflow.reading.domain_name import to_ascii
from mailflow.reading.lookalike import is_one_edit, known_names, mixed_alphabets, one_edit_away, resemblance, skeleton

DIRECTORY = PartnerDirectory.of(
    (
        partner("Northwind", "northwind.example", "northwind.test"),
        partner("Acme", "acme.example"),
        partner("Corner", "corner-stone.example"),
        partner("Two", "ab.example"),
        partner("Web", "web2print.example"),
        partner("Nordlicht", "nordlicht.example"),
        partner("Big", "in.bigfirm.example"),
        partner("Mall", "mall.com"),
        partner("Fields", "fields-it.example"),
        partner("Tenant", "tenantfirm.onmicrosoft.com"),
        partner("M\u00fcller", "xn--mller-kva.example"),
    )
)
NAMES = known_names(frozenset({"gitlab.com", "kiwi.example", "abc.com"}), DIRECTORY)


def resembled(domain: str) -> str:
    return resemblance(to_ascii(domain), NAMES)


@pytest.mark.parametrize(
    "domain",
    [
        # look-alike letters
        "g1tlab.com",
        "gitiab.com",  # typed gitIab.com
        "g\u0456tlab.com",  # Cyrillic
        "xn--gtlab-n2e.com",  # the same as it is sent
        "gitl\u0251b.com",  # Latin alpha
        "g\u00ectlab.com",  # an accent
        "\uff47itlab.com",  # full width
        "mail.g1tlab.com",
        "g1tlab.net",
        # one edit
        "gitlib.com",
        "gtlab.com",
        "gittlab.com",
        "igtlab.com",
        "gitlabs.com",
        "git-lab.com",
        "gitlib.net",
        # the same name, another suffix
        "gitlab.co",
        "gitlab.net",
        "gitlab.co.uk",
        "gitlab.zendesk.com",
        # words around it
        "gitlab-support.com",
        "support-gitlab.com",
        "my-gitlab-portal.net",
        "gitlabsupport.com",
        "mygitlab.com",
        "g1tlab-l0gin.com",
        # the whole of it as a beginning
        "gitlab.com.evil.test",
        "gitlab.com-login.test",
        "mail.gitlab.com.evil.test",
    ],
)
def test_imitations_of_our_name(domain: str) -> None:
    assert "gitlab.com" in resembled(domain) or "mail.gitlab.com" in resembled(domain)


@pytest.mark.parametrize(
    ("domain", "target"),
    [
        ("n0rthwind.example", "northwind.example"),
        ("northvvind.example", "northwind.example"),
        ("northw\u0456nd.test", "northwind.example"),
        ("nortwind.example", "northwind.example"),
        ("norhtwind.example", "northwind.example"),
        ("onrthwind.example", "northwind.example"),
        ("northwind.exarnple", "northwind.example"),
        ("nordlciht.example", "nordlicht.example"),  # whatever the edit does to the skeleton
        ("n0rthwind.org", "northwind.example"),
        ("comer-stone.example", "corner-stone.example"),
        ("acrne.example", "acme.example"),
        ("acme.example.evil.test", "acme.example"),
        ("acme.example-login.test", "acme.example"),
        ("tenantf1rm.onmicrosoft.com", "tenantfirm.onmicrosoft.com"),
        ("muller.example", "xn--mller-kva.example"),
    ],
)
def test_imitations_of_a_partner(domain: str, target: str) -> None:
    assert resembled(domain) == f"{to_ascii(domain)} looks like {target}"


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "example",
        "stranger.example",
        # listed, or below what is listed
        "gitlab.com",
        "mail.gitlab.com",
        "northwind.test",
        "shop.northwind.example",
        # above what is listed, and beside it
        "bigfirm.example",
        "fr.bigfirm.example",
        # ours as a name inside another's domain: they run the product
        "gitlab.northwind.test",
        "gitlab.stranger.example",
        "digitlabor.com",
        "gitlabor.com",
        # short names
        "abd.com",
        "ac.example",
        "acne.example",
        # a partner's second suffix, words around a partner's name
        "northwind.org",
        "northwind-shop.example",
        "mynorthwind.example",
        # honest neighbours
        "northwinds.example",
        "southwind.example",
        "worthwind.example",
        "web3print.example",
        "fluids-it.example",
        "nortwind.org",
        # one tenant beside another
        "otherfirm.onmicrosoft.com",
        # a provider
        "mail.com",
        # an honest international name
        "\u65e5\u672cgitcompany.example",
        "\u043f\u0440\u0438\u0432\u0435\u0442.example",
    ],
)
def test_honest_neighbours(domain: str) -> None:
    assert resembled(domain) == ""


def test_a_short_name_of_ours_is_guarded_by_its_letters_and_suffix_alone() -> None:
    assert resembled("abc.co") == "abc.co looks like abc.com"
    assert resembled("a6c.com") == "a6c.com looks like abc.com"
    assert resembled("abc.example") == resembled("abc-shop.com") == resembled("adc.com") == ""


def test_one_edit_of_a_name_of_ours_that_is_short_counts_below_its_suffix() -> None:
    assert resembled("kiwo.example") == "kiwo.example looks like kiwi.example"
    assert resembled("kiwo.net") == ""


def test_two_listed_domains_that_resemble_each_other_are_both_known() -> None:
    names = known_names(
        frozenset(), PartnerDirectory.of((partner("A", "northwind.com"), partner("B", "northwlnd.com")))
    )
    assert resemblance("northwind.com", names) == resemblance("northwlnd.com", names) == ""
    assert resemblance("northw1nd.com", names) == "northw1nd.com looks like northwind.com"


@pytest.mark.parametrize(
    ("domain", "alphabets"),
    [
        ("p\u0430ypal.example", "Cyrillic and Latin"),
        ("\u03bfffice.example", "Greek and Latin"),
        ("shop.b\u0430nk.example", "Cyrillic and Latin"),
    ],
)
def test_mixed_alphabets_are_told_without_a_target(domain: str, alphabets: str) -> None:
    assert resembled(domain) == f"{to_ascii(domain)} mixes {alphabets} letters"


def test_alphabets_may_differ_between_labels() -> None:
    assert mixed_alphabets("\u043f\u0440\u0438\u0432\u0435\u0442.example") == []


_NAME = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)


@given(_NAME, _NAME)
def test_one_edit_is_the_same_read_and_written(one: str, other: str) -> None:
    assert is_one_edit(one, other) == is_one_edit(other, one)
    assert is_one_edit(one, other) == (other in set(one_edit_away(one, "".join(sorted(set(other))))) and one != other)


@given(_NAME, st.data())
def test_every_edit_is_found(name: str, data: st.DataObject) -> None:
    edited = data.draw(st.sampled_from(sorted(set(one_edit_away(name, "ab1-")) - {name})))
    assert is_one_edit(name, edited)


@given(st.text(max_size=40))
def test_a_skeleton_is_its_own_skeleton(name: str) -> None:
    once = skeleton(name)
    assert skeleton(once) == once


@pytest.mark.parametrize("letter", "abcdefghijklmnopqrstuvwxyz")
def test_every_small_latin_letter_with_a_mark_is_seen_as_the_bare_one(letter: str) -> None:
    name = f"LATIN SMALL LETTER {letter.upper()} WITH "
    marked = [chr(point) for point in range(0xC0, 0x250) if unicodedata.name(chr(point), "").startswith(name)]
    assert {skeleton(f"x{each}x") for each in marked} <= {skeleton(f"x{letter}x")}


@given(st.text(max_size=70))
def test_every_text_gets_an_answer(text: str) -> None:
    assert isinstance(resembled(text), str)


def test_names_are_prepared_once_for_a_directory() -> None:
    again = PartnerDirectory.of(reversed(DIRECTORY.partners))
    assert known_names(NAMES.own_domains, again) is known_names(NAMES.own_domains, DIRECTORY)
