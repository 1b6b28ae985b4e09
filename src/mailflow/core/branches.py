"""Which branch of an answer a mail takes: what the partner directory or its own words say of it.

Rule: nothing is guessed. What is not known is '', and the intent's YAML says what is done then (playbook.Branching).
"""

from collections.abc import Callable

from mailflow.core.message import Sender
from mailflow.core.partner import PartnerKind


def _route(sender: Sender, facts: frozenset[str]) -> str:
    if sender.partner is None:
        return ""
    return "distributor" if sender.partner.kind is PartnerKind.DISTRIBUTOR else sender.partner.route.value


def _membership(sender: Sender, facts: frozenset[str]) -> str:
    return "partner" if sender.partner else ""


def _license(sender: Sender, facts: frozenset[str]) -> str:
    """Words of both name neither: a mail may ask for a customer's license and speak of the own one."""
    if "names_license" not in facts:
        return "other"
    said = [value for fact, value in (("names_customer", "customer"), ("names_own_use", "own")) if fact in facts]
    return said[0] if len(said) == 1 else ""


_BRANCH: dict[str, Callable[[Sender, frozenset[str]], str]] = {
    "route": _route,
    "membership": _membership,
    "license": _license,
}


def branch(by: str, sender: Sender, facts: frozenset[str]) -> str:
    """The value of `by` (a key of playbook.BRANCHES) for this mail, '' where it is not known."""
    return _BRANCH[by](sender, facts)
