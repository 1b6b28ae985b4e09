"""A few labelled mails of few intents, invented, enough for a model that learns something within a second."""

import json
from itertools import product
from pathlib import Path

LABELS = ("nfr_request", "portal_access", "portal_problem", "spam")

_ASKS = {
    "nfr_request": (
        "a not for resale licence for our lab",
        "an NFR key for the demo server",
        "renewing our lab licence",
    ),
    "portal_access": (
        "a portal login for a new colleague",
        "access to the partner portal",
        "an account for our intern",
    ),
    "portal_problem": ("the password reset that never arrives", "a locked account", "the error page after login"),
    "spam": ("cheap leads for your sales team", "better ranking of your website", "a list of buyers to purchase"),
}
_OPENINGS = (
    "Hello,\n\nwe need help with {}.",
    "Hi team, this is about {}. How does it work?",
    "Good day. It is {}!",
)
_ENDS = ("Thank you in advance.", "It is for next week.", "We are a reseller.", "Greetings from the coast.")
_ACTION = {"portal_problem": "review", "spam": "none"}


def row(intent: str, text: str, number: int, **changes: object) -> dict[str, object]:
    """One example as it stands in a .jsonl file."""
    return {
        "id": f"{intent}-{number}",
        "author": f"w{number % 3}",
        "from_name": "Ines Okafor",
        "from_addr": f"ines@firm{intent}{number}.example",
        "subject": text.split("\n")[-1][:30],
        "text": text,
        "lang": "en",
        "role": "unknown" if intent == "spam" else "partner",
        "primary": intent,
        "intents": [intent],
        "action": _ACTION.get(intent, "reply"),
        **changes,
    }


def rows() -> dict[str, list[dict[str, object]]]:
    """File stem -> rows."""
    found = {}
    for intent in LABELS:
        texts = [f"{opening.format(ask)} {end}" for opening, ask, end in product(_OPENINGS, _ASKS[intent], _ENDS)]
        found[intent] = [row(intent, text, n) for n, text in enumerate(texts)]
    found["nfr_request"] += [_twofold(n) for n in range(8)]
    return found


def _twofold(n: int) -> dict[str, object]:
    asks = f"{_ASKS['nfr_request'][n % 3]} and also {_ASKS['portal_access'][n % 3]}"
    return row("nfr_request", f"Two things: {asks}. Round {n}.", 100 + n, intents=["nfr_request", "portal_access"])


def write(folder: Path, content: dict[str, list[dict[str, object]]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, lines in content.items():
        (folder / f"{stem}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder
