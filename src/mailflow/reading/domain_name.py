"""Domain names: one form to compare, one to look at, and the part that a company chose (RFC 1035, RFC 5890).

Rule: what is compared is the lower-case A-label form without a final dot.
Rule: a label that turns into plain ASCII only by being mapped (full-width letters, the Kelvin sign, a ligature) stays
as it is, and so equals nothing that we know. Why: our server vouched for the name that it read; this is another one.
Rule: the company's name is the label before the public suffix. Why not the Public Suffix List: the suffixes of
countries follow a pattern, and the shared domains that companies write from (Microsoft 365, help desks) are not in it.
"""

import re

import idna

SHARED_DOMAINS = frozenset(
    """
    onmicrosoft.com mail.onmicrosoft.com sharepoint.com azurewebsites.net cloudapp.net web.app firebaseapp.com
    appspot.com amazonaws.com herokuapp.com netlify.app vercel.app pages.dev workers.dev github.io gitlab.io
    bitbucket.io myshopify.com wixsite.com wordpress.com blogspot.com weebly.com squarespace.com zendesk.com
    freshdesk.com helpscoutapp.com intercom-mail.com atlassian.net salesforce.com force.com hubspot.com
    mailchimpapp.com sendgrid.net mailgun.org duckdns.org dyndns.org no-ip.org
    """.split()
)
"""Domains below which strangers live side by side."""
_SECOND_LEVELS = frozenset("ac co com edu go gob gov ne net or org".split())
"""Labels that registries of countries put before theirs: co.uk, com.br, or.jp."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MOST_CHARACTERS = 253


def to_ascii(domain: str) -> str:
    """The form to compare. Total: what is no domain name comes back in lower case.

    >>> to_ascii("BÜCHER.Example.")
    'xn--bcher-kva.example'
    """
    name = domain.strip().rstrip(".")
    if name.isascii():
        return name.lower()
    labels = name[:_MOST_CHARACTERS].split(".")
    return ".".join(label.lower() if label.isascii() else _a_label(label) for label in labels).rstrip(".")


def _a_label(label: str) -> str:
    try:
        encoded = idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError:
        return label
    return encoded if encoded.startswith("xn--") else label


def to_unicode(domain: str) -> str:
    """The form to look at: `xn--` labels as they are shown; one that cannot be decoded stays."""
    return ".".join(_u_label(label) if label.startswith("xn--") else label for label in domain.split("."))


def _u_label(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def is_domain_name(domain: str) -> bool:
    """Whether this, in the form to compare, can be the domain of an address on the Internet."""
    labels = domain.split(".")
    if len(domain) > _MOST_CHARACTERS or len(labels) < 2 or labels[-1].isdigit():
        return False
    return all(_LABEL.fullmatch(label) and _is_sound(label) for label in labels)


def _is_sound(label: str) -> bool:
    if not label.startswith("xn--"):
        return True
    try:
        idna.decode(label)
    except idna.IDNAError:
        return False
    return True


def organisation(domain: str) -> tuple[str, str]:
    """The name that a company chose, and the suffix below which it chose it.

    >>> organisation("mail.firm.co.uk"), organisation("firm.onmicrosoft.com")
    (('firm', 'co.uk'), ('firm', 'onmicrosoft.com'))
    """
    labels = domain.split(".")
    suffix = len(labels) - 1
    while suffix > 1 and is_shared(".".join(labels[suffix - 1 :])):
        suffix -= 1
    return (labels[suffix - 1] if suffix else "", ".".join(labels[suffix:]))


def is_shared(domain: str) -> bool:
    """Whether the names below `domain` belong to strangers: a public suffix, a host of many tenants."""
    first, _, rest = domain.partition(".")
    return not rest or domain in SHARED_DOMAINS or (len(rest) == 2 and first in _SECOND_LEVELS)
