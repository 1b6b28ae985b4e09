"""How many automatic answers anybody can draw from the desk, whatever he writes: what a send budget is worth.

A robot may change everything of its mails. What it cannot change is what the guards of `policy` count:

    one thread     at most one answer, ever (follow_up), and no more than per_thread
    one address    per_sender_day in any 24 hours, per_sender_and_intent_3_hours an intent in any 3 hours
    one domain     per_domain_hour in any hour
    one template   per_template_hour in any hour
    the desk       desk_hour in any hour

Derivation. The guard lets an answer out only where it counts fewer than n in the window W that ends now, the moment
now - W itself left out. So of the answers in any [t, t + W) the last one was let out beside all the others: they are n
at most. A time T is covered by ceil(T / W) such windows and has n * ceil(T / W) at most; what goes to k addresses, k
times as many. Each of these is a bound, so the least of them is one.

Rule: an answer counts at its decision. It may leave later (undo window, a server that is down), so more may leave in an
hour than were decided in it; over the whole time they are no more.
Rule: what a server refused for good and what a person cancelled count for nothing, as nobody got them. What a person
sends or sends again is no automatic answer.
"""

from dataclasses import dataclass
from datetime import timedelta

from mailflow.core.playbook import SendBudget

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a robot's mails differ in, each by how many there are; None: a new one for each mail."""

    threads: int | None = None
    addresses: int | None = None
    domains: int | None = None
    intents: int | None = None
    """That its mails are taken for."""


ONE_THREAD, ONE_ADDRESS, ONE_DOMAIN, ANYTHING = Reach(threads=1), Reach(addresses=1), Reach(domains=1), Reach()


def most_sends(budget: SendBudget, over: timedelta, reach: Reach = ANYTHING) -> int:
    """The most automatic answers decided within `over` (its end left out) to mails that differ as `reach` says."""
    hours, days = _windows(over, HOUR), _windows(over, DAY)
    bounds = [budget.desk_hour * hours]
    if reach.intents is not None:
        bounds.append(reach.intents * budget.per_template_hour * hours)
    if reach.domains is not None:
        bounds.append(reach.domains * budget.per_domain_hour * hours)
    if reach.addresses is not None:
        bounds.append(reach.addresses * budget.per_sender_day * days)
        if reach.intents is not None:
            a_window = reach.addresses * reach.intents * budget.per_sender_and_intent_3_hours
            bounds.append(a_window * _windows(over, 3 * HOUR))
    if reach.threads is not None:
        bounds.append(reach.threads * min(budget.per_thread, 1))
    return min(bounds)


REACHES = {
    "a thread": ONE_THREAD,
    "an address": ONE_ADDRESS,
    "an address and an intent": Reach(addresses=1, intents=1),
    "a domain": ONE_DOMAIN,
    "mails of one intent": Reach(intents=1),
    "anybody": ANYTHING,
}
"""What answers are counted by."""
SPANS = {"hour": HOUR, "3 hours": 3 * HOUR, "24 hours": DAY, "30 days": 30 * DAY}


def bounds_table(budget: SendBudget) -> list[tuple[str, ...]]:
    """What a budget is worth: a row of each of REACHES, its name first, then the most answers in any of SPANS."""
    return [
        (f"to {name}", *(f"{most_sends(budget, span, reach):,}" for span in SPANS.values()))
        for name, reach in REACHES.items()
    ]


def _windows(over: timedelta, window: timedelta) -> int:
    """How many `window`s cover `over`."""
    return -(-over // window)
