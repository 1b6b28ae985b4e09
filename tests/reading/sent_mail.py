"""Mails as the tests of trust need them: who wrote, and what the servers on the way said."""

from mailflow.core.message import Address, InboundMessage
from mailflow.core.partner import Partner, PartnerDirectory, PartnerKind, Route
from mailflow.reading.sender import Desk

SERVER = "mx.vendor.example"
DESK = Desk(
    addresses=frozenset({"desk@vendor.example"}),
    own_domains=frozenset({"vendor.example", "vendor-group.example"}),
    trusted_authserv_ids=frozenset({SERVER}),
)


def partner(company: str, *domains: str) -> Partner:
    return Partner(domains, company, "select", PartnerKind.RESELLER, "EMEA", Route.DISTRIBUTION, "Wholesale Ltd")


PARTNER = partner("Partner Ltd", "partner.example", "partner.test", "xn--bro-hoa.example")
BRANCH = partner("Partner Branch", "branch.partner.example")
DIRECTORY = PartnerDirectory.of((PARTNER, BRANCH, partner("a slip in the directory", "gmail.com")))


def passes(domain: str) -> str:
    return f"{SERVER}; dmarc=pass header.from={domain}"


def message(
    author: str | None = "jo@vendor.example",
    *results: str,
    from_fields: tuple[str, ...] = (),
    reply_to: tuple[str, ...] = (),
    name: str = "Jo",
    more_fields: tuple[tuple[str, str], ...] = (),
) -> InboundMessage:
    """A mail whose fields are, from the top: Authentication-Results, `more_fields`, From."""
    fields = [("Authentication-Results", value) for value in results]
    fields += [*more_fields, *(("From", value) for value in from_fields or ((f"{name} <{author}>",) if author else ()))]
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
