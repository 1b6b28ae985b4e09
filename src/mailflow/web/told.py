"""What was just done, told by the address that an action leads to, and believed only where this desk wrote it.

    ?did=close&of=7&version=4&said=1772452800&mark=...

Rule: without its mark, for another account, or later than an hour an address tells nothing: a link that somebody sends
must not claim what never happened. Why in the address: the page can be shown anew, and nothing has to be kept.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from mailflow.core.review import Account
from mailflow.web.desk import WebDesk

LASTS = timedelta(hours=1)
_NAMES = ("did", "of", "entry", "version", "slept", "done", "left", "begun", "said")


def told(desk: WebDesk, account: Account, **values: object) -> str:
    """As part of a query: those of `values` that say something, when it was said, and the mark."""
    said = {name: str(value) for name, value in values.items() if value not in (None, "", 0)}
    said["said"] = str(int(desk.clock.now().timestamp()))
    return urlencode(said | {"mark": _mark(desk, account, said)})


def believed(desk: WebDesk, account: Account, asked: Mapping[str, str]) -> Mapping[str, str]:
    """What an address tells to `account`; nothing where this desk did not write it."""
    said = {name: asked[name] for name in _NAMES if asked.get(name)}
    if not hmac.compare_digest(_mark(desk, account, said).encode(), asked.get("mark", "").encode("utf-8", "replace")):
        return {}
    age = desk.clock.now().timestamp() - int(said["said"])
    return said if age <= LASTS.total_seconds() else {}


def _mark(desk: WebDesk, account: Account, said: Mapping[str, str]) -> str:
    text = urlencode([("", account.name), *sorted(said.items())], errors="replace")
    return hmac.new(desk.told_key, text.encode(), hashlib.sha256).hexdigest()[:32]
