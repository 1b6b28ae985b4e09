"""A mail without its people: what a correction keeps of it, so that a model may learn from it for years.

    addresses      person1@company1.example, the same for the same address
    host names     company1.example, the same company for the same domain; our own domains stay
    the sender     `Alex Example`, wherever a word of the name stands
    long numbers   the same length in nines, so that an order number is still one

Rule: what is kept is the new text alone, without signature and quoted mail; attachments by the kind of file.
Why not a model that finds names: it misses some, and a rule that is known to miss can be read and is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_ADDRESS = re.compile(r"[\w.+'-]+@([\w-]+(?:\.[\w-]+)+)")
_HOST = re.compile(r"\b(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,24})\b(?:/[^\s<>\"')]*)?", re.IGNORECASE)
_NUMBER = re.compile(r"\d(?:[\d .()/-]{3,}\d|\d{3,})")
_LEAST_NAME = 3
"""Letters of a word of a name. Why three: `Li` is also the end of many other words' lines."""
STAND_IN = ("Alex", "Example")


@dataclass(frozen=True, slots=True)
class Anonymous:
    from_name: str
    from_addr: str
    subject: str
    text: str
    attachments: tuple[str, ...]


def anonymised(
    *,
    from_name: str,
    from_addr: str,
    subject: str,
    text: str,
    attachments: tuple[str, ...],
    own_domains: frozenset[str],
) -> Anonymous:
    """Pure, and the same each time; `own_domains` and their subdomains are not hidden."""
    companies: dict[str, str] = {}
    people: dict[str, str] = {}

    def company(domain: str) -> str:
        domain = domain.lower()
        if any(domain == own or domain.endswith("." + own) for own in own_domains):
            return domain
        return companies.setdefault(domain, f"company{len(companies) + 1}.example")

    def person(match: re.Match[str]) -> str:
        address = match.group().lower()
        return people.setdefault(address, f"person{len(people) + 1}@{company(match.group(1))}")

    sender = _ADDRESS.sub(person, from_addr)
    hide = _hider(from_name, from_addr, person, company)
    kinds = tuple(f"file.{name.rpartition('.')[2].lower()}" if "." in name else "file" for name in attachments)
    return Anonymous(" ".join(STAND_IN) if from_name else "", sender, hide(subject), hide(text), kinds)


def _hider(
    from_name: str, from_addr: str, person: Callable[[re.Match[str]], str], company: Callable[[str], str]
) -> Callable[[str], str]:
    names = {word for word in re.findall(r"[^\W\d_]+", from_name) if len(word) >= _LEAST_NAME}
    names |= {word for word in re.findall(r"[^\W\d_]+", from_addr.partition("@")[0]) if len(word) > _LEAST_NAME}
    name = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b", re.IGNORECASE) if names else None

    def hide(text: str) -> str:
        text = _ADDRESS.sub(person, text)
        text = _HOST.sub(_host(company), text)
        text = _NUMBER.sub(lambda match: re.sub(r"\d", "9", match.group()), text)
        return name.sub(STAND_IN[0], text) if name else text

    return hide


def _host(company: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
    def of(match: re.Match[str]) -> str:
        domain = match.group(1).lower()
        return match.group() if domain.endswith(".example") else match.group().replace(match.group(1), company(domain))

    return of
