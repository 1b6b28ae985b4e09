"""The partner directory: which company a domain belongs to, and how that company deals with us.

Rule: a domain below a partner's domain is that partner's too, unless it is listed itself; the longest listed name wins.
Why: D2 proves a domain, and only the holder of a domain can give away names below it, so a proof for `in.firm.example`
is a proof by the holder of `firm.example`; DMARC takes both for one organisation (RFC 7489, 3.2), and large companies
write from a domain a country. Why not so for our own domains: their proof unlocks internal text, a partner's does not.
Domains that strangers share (`onmicrosoft.com`, `co.uk`, free mail) would break the rule: no directory may list them.
Rule: domains are lower-case A-labels without a final dot (RFC 5890, 2.3.2.1), here and in every lookup.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum


class PartnerKind(StrEnum):
    RESELLER = "reseller"
    DISTRIBUTOR = "distributor"
    MSP = "msp"
    ALLIANCE = "alliance"


class Route(StrEnum):
    """Who quotes for a partner and takes its orders."""

    DIRECT = "direct"
    DISTRIBUTION = "distribution"


@dataclass(frozen=True, slots=True)
class Partner:
    domains: tuple[str, ...]
    """At least one, as the rule above says."""
    company: str
    tier: str
    """As the programme calls it; '' if none is known."""
    kind: PartnerKind
    region: str
    """'' if none is known."""
    route: Route
    distributor: str
    """The company that this partner orders from; '' with Route.DIRECT."""


@dataclass(frozen=True, slots=True)
class PartnerDirectory:
    """All partners. Build it with `of`. Two directories are equal if they say the same."""

    version: str
    """12 hexadecimal digits of a hash of everything that it says; the order of rows does not matter."""
    partners: tuple[Partner, ...] = field(compare=False, repr=False)
    by_domain: Mapping[str, Partner] = field(compare=False, repr=False)

    @classmethod
    def of(cls, partners: Iterable[Partner]) -> "PartnerDirectory":
        """Raises ValueError where two partners have the same domain."""
        known = tuple(partners)
        by_domain: dict[str, Partner] = {}
        for partner in known:
            for domain in partner.domains:
                if by_domain.setdefault(domain, partner) is not partner:
                    raise ValueError(f"{domain} is the domain of {by_domain[domain].company} and of {partner.company}")
        return cls(_version(known), known, by_domain)

    @property
    def domains(self) -> Set[str]:
        """Every listed domain."""
        return self.by_domain.keys()

    def lookup(self, domain: str) -> Partner | None:
        """The partner whose domain this is, or lies below of."""
        name = domain
        while "." in name:
            if partner := self.by_domain.get(name):
                return partner
            name = name.partition(".")[2]
        return None


def _version(partners: Iterable[Partner]) -> str:
    lines = sorted(
        json.dumps([sorted(one.domains), one.company, one.tier, one.kind, one.region, one.route, one.distributor])
        for one in partners
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


NO_PARTNERS = PartnerDirectory.of(())
