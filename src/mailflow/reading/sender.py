"""Who sent a mail, and what our own mail server vouches for (D1, D2; RFC 7489).

Rule: a proof is a `dmarc=pass` of our own server (authentication_results.py) for the domain of the one From address.
Rule: the role is internal for a proven own domain alone, and a subdomain of an own domain is own only if it is listed.
Rule: the role is partner for every domain of the directory, proven or not, unless our server says that it is not them.
Why: an outsider's role only says what he is, which his words could say as well (`we are a reseller`), and many partners
publish no DMARC. Nothing hangs on it: internal text asks for a proven own domain, and what the directory knows of the
company is handed on, as `Sender.partner`, with a proof only.
Rule: free mail domains belong to no partner, whatever the directory says.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mailflow.core.message import Address, InboundMessage, Role, Sender, Trust
from mailflow.core.partner import NO_PARTNERS, Partner, PartnerDirectory
from mailflow.reading.authentication_results import our_verdict
from mailflow.reading.domain_name import is_shared, to_ascii
from mailflow.reading.free_mail import is_free_mail
from mailflow.reading.lookalike import known_names, resemblance


@dataclass(frozen=True, slots=True)
class Desk:
    """What the desk calls its own. Everything lower-cased, domains as A-labels."""

    addresses: frozenset[str]
    """addr-specs of the help desk's mailboxes."""
    own_domains: frozenset[str]
    """Domains whose proven senders are colleagues."""
    trusted_authserv_ids: frozenset[str]
    """authserv-ids of our own receiving servers (RFC 8601, 2.5)."""


def identify(message: InboundMessage, desk: Desk, directory: PartnerDirectory = NO_PARTNERS) -> Sender:
    """Role, trust and flags of the sender, and the partner that he is proven to write for."""
    domain = _domain(message.from_) if message.from_ else ""
    proof, reason = _proof(message, domain, desk)
    partner = None if is_free_mail(domain) or domain in desk.own_domains else directory.lookup(domain)
    role, trust, remark = _judged(domain, proof, partner, desk)
    names = known_names(desk.own_domains, directory)
    shown = dict.fromkeys((domain, *map(_domain, message.reply_to[:_MOST_REPLY_TO])))
    alarms = list(filter(None, (resemblance(each, names) for each in shown)))
    flags = {
        "no_proof": trust is Trust.UNAUTHENTICATED,
        "disproved": proof is _Proof.REFUSED,
        "free_mail": is_free_mail(domain),
        "lookalike_domain": bool(alarms),
        "reply_to_differs": reply_to_differs(message.from_, message.reply_to, desk, directory),
        "name_shows_other_address": name_shows_other_address(message.from_, desk, directory),
    }
    return Sender(
        role=role,
        trust=trust,
        reason="; ".join((", ".join(filter(None, (reason, remark))), *alarms)),
        flags=tuple(flag for flag, is_raised in flags.items() if is_raised),
        partner=partner if trust is Trust.KNOWN else None,
    )


_MOST_REPLY_TO = 5


def _domain(address: Address) -> str:
    return to_ascii(address.addr_spec.rpartition("@")[2])


# Proof


class _Proof(Enum):
    GIVEN = "our server vouches for the sender"
    MISSING = "nothing is said for or against him"
    REFUSED = "our server says that it is not him, or nobody can tell whom it speaks of"


_UNDECIDED = frozenset({"", "none", "temperror", "permerror"})
"""DMARC results (RFC 7489, 11.2) that say nothing for or against the sender."""


def _proof(message: InboundMessage, domain: str, desk: Desk) -> tuple[_Proof, str]:
    """What our server says of the author, and that in a sentence."""
    if message.from_ is None or not domain:
        return _Proof.REFUSED, "there is no From address"
    if authors(message) != {message.from_.addr_spec.rstrip(".").lower()}:
        return _Proof.REFUSED, "there is not exactly one From address"
    verdict = our_verdict(message.header_values("Authentication-Results"), desk.trusted_authserv_ids)
    if verdict is None:
        return _Proof.MISSING, "no Authentication-Results of our own server"
    server = verdict.authserv_id
    if verdict.problem:
        return _Proof.REFUSED, f"the Authentication-Results {f'of {server} ' if server else ''}{verdict.problem}"
    if verdict.dmarc != "pass":
        proof = _Proof.MISSING if verdict.dmarc in _UNDECIDED else _Proof.REFUSED
        return proof, f"{server} says dmarc={verdict.dmarc or '(nothing)'}"
    if to_ascii(verdict.domain) != domain:
        whom = verdict.domain or "(no domain)"
        return _Proof.REFUSED, f"{server} says dmarc=pass for {whom}, but From is of {domain}"
    return _Proof.GIVEN, f"{server} says dmarc=pass for {domain}"


def _judged(domain: str, proof: _Proof, partner: Partner | None, desk: Desk) -> tuple[Role, Trust, str]:
    """Role and trust, and what is to be said of them beside the proof."""
    if proof is _Proof.GIVEN and domain in desk.own_domains:
        return Role.INTERNAL, Trust.KNOWN, ""
    trust = Trust.UNAUTHENTICATED if proof is not _Proof.GIVEN else Trust.KNOWN if partner else Trust.ALIGNED
    if partner is None:
        return Role.UNKNOWN, trust, "which we do not know" if trust is Trust.ALIGNED else ""
    role = Role.UNKNOWN if proof is _Proof.REFUSED else Role.PARTNER
    return role, trust, f"a domain of {partner.company}" if trust is Trust.KNOWN else ""


_QUOTED_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)')
_LONGEST_FROM = 2_000
_ADDR_SPEC = re.compile(r"[^\s<>,;:\"()]+@[^\s<>,;:\"()]+")


def authors(message: InboundMessage) -> set[str]:
    """Every address in every From field, lower-cased; more than one means that nobody in particular wrote it.

    A field that is not read to its end, or is not alone, counts as one author more.
    """
    fields = message.header_values("From")
    bare = (_QUOTED_OR_COMMENT.sub(" ", value[:_LONGEST_FROM]) for value in fields)
    found = {spec.strip("'").rstrip(".").lower() for value in bare for spec in _ADDR_SPEC.findall(value)}
    is_plain = len(fields) == 1 and len(fields[0]) <= _LONGEST_FROM
    return found if is_plain else found | {"somebody else, perhaps"}


# Where an answer would go, and whom the sender shows


def reply_to_differs(
    author: Address | None, reply_to: tuple[Address, ...], desk: Desk, directory: PartnerDirectory = NO_PARTNERS
) -> bool:
    """Whether an answer to Reply-To would leave the author's organisation (of free mail: the author's address)."""
    if author is None:
        return bool(reply_to)
    return any(_is_elsewhere(address.addr_spec, author, desk, directory) for address in reply_to)


def name_shows_other_address(author: Address | None, desk: Desk, directory: PartnerDirectory = NO_PARTNERS) -> bool:
    """Whether the display name holds an address of somebody else: most mail programs show the name alone."""
    if author is None:
        return False
    return any(_is_elsewhere(shown, author, desk, directory) for shown in _addresses_in(author.display_name))


def _addresses_in(name: str) -> Iterator[str]:
    """Addresses as they look: a full-width `@` is one."""
    return (found.strip("'.[]") for found in _ADDR_SPEC.findall(unicodedata.normalize("NFKC", name[:_LONGEST_FROM])))


def _is_elsewhere(addr_spec: str, author: Address, desk: Desk, directory: PartnerDirectory) -> bool:
    """Whether this address is of another organisation than the author."""
    home, other = _domain(author), to_ascii(addr_spec.rpartition("@")[2])
    if is_free_mail(home):
        return addr_spec.lower() != author.addr_spec.lower()
    if {home, other} <= desk.own_domains or _lies_below(home, other) or _lies_below(other, home):
        return False
    partner = directory.lookup(home)
    return partner is None or directory.lookup(other) is not partner


def _lies_below(domain: str, parent: str) -> bool:
    return domain == parent or (domain.endswith("." + parent) and not is_shared(parent))
