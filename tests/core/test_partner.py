"""The directory: whose a domain is, and when two directories say the same."""

import pickle
from dataclasses import replace

import pytest

from mailflow.core.partner import NO_PARTNERS, Partner, PartnerDirectory, PartnerKind, Route

FIRM = Partner(("firm.example", "firm.test"), "Firm", "select", PartnerKind.RESELLER, "EMEA", Route.DIRECT, "")
BRANCH = replace(
    FIRM, domains=("in.firm.example",), company="Firm India", route=Route.DISTRIBUTION, distributor="Whole"
)
DIRECTORY = PartnerDirectory.of((FIRM, BRANCH))


@pytest.mark.parametrize(
    ("domain", "partner"),
    [
        ("firm.example", FIRM),
        ("firm.test", FIRM),
        ("mail.firm.example", FIRM),
        ("in.firm.example", BRANCH),
        ("mail.in.firm.example", BRANCH),
        ("main.firm.example", FIRM),
        ("xfirm.example", None),
        ("firm.example.evil.example", None),
        ("example", None),
        ("", None),
        (".", None),
    ],
)
def test_a_domain_is_of_the_longest_listed_name_at_its_end(domain: str, partner: Partner | None) -> None:
    assert DIRECTORY.lookup(domain) == partner


def test_a_suffix_alone_is_nobodys() -> None:
    slip = PartnerDirectory.of((replace(FIRM, domains=("example",)),))
    assert slip.lookup("stranger.example") is None


def test_it_knows_all_its_domains() -> None:
    assert DIRECTORY.domains == {"firm.example", "firm.test", "in.firm.example"}
    assert NO_PARTNERS.domains == set()
    assert NO_PARTNERS.lookup("firm.example") is None


def test_no_domain_is_of_two_partners() -> None:
    with pytest.raises(ValueError, match=r"^firm\.test is the domain of Firm and of Other$"):
        PartnerDirectory.of((FIRM, replace(FIRM, domains=("firm.test",), company="Other")))


def test_the_order_of_rows_changes_nothing() -> None:
    turned = PartnerDirectory.of((BRANCH, replace(FIRM, domains=("firm.test", "firm.example"))))
    assert (turned, turned.version, hash(turned)) == (DIRECTORY, DIRECTORY.version, hash(DIRECTORY))


@pytest.mark.parametrize(
    "other",
    [
        replace(FIRM, domains=("firm.example",)),
        replace(FIRM, company="Firm Ltd"),
        replace(FIRM, tier="open"),
        replace(FIRM, kind=PartnerKind.MSP),
        replace(FIRM, region="APAC"),
        replace(FIRM, route=Route.DISTRIBUTION),
        replace(FIRM, distributor="Whole"),
        replace(FIRM, tier="", region="select"),
    ],
)
def test_whatever_differs_makes_another_version(other: Partner) -> None:
    assert PartnerDirectory.of((other,)) != PartnerDirectory.of((FIRM,))


def test_it_travels_to_another_process() -> None:
    arrived = pickle.loads(pickle.dumps(DIRECTORY))  # noqa: S301 - our own bytes
    assert arrived == DIRECTORY
    assert arrived.lookup("mail.firm.test") == FIRM
