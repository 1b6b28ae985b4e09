"""The messages of a selected mailbox, as they are fetched over IMAP (RFC 3501, 6.4.5).

Rule: sizes come first. A batch holds at most so many messages and octets; a large message is fetched in slices into a
      spool file, and of one that is larger than the limit only the first MiB.
Rule: a message of which the server sends nothing, though it has a size, counts as one that is not there now, never as
      an empty mail. The comparison of mailbox and ledger finds it again (services/reconcile.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import ProtocolError

from mailflow.adapters.spool import SPOOLED_FROM, spooled
from mailflow.core.octets import SLICE, Octets

MIB = 1 << 20
HEAD_OCTETS = MIB
"""What is fetched of a message that is larger than the limit."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A message as the server lists it before it is fetched."""

    uid: int
    size: int
    """RFC822.SIZE, octets."""
    internal_date: datetime | None


def plan_batches(
    listed: Sequence[Listed], *, messages: int, octets: int, max_size: int
) -> Iterator[tuple[Listed, ...]]:
    """Cut `listed` into runs, in order, each of at most `messages` messages and `octets` octets to fetch.

    A message larger than `max_size` counts as HEAD_OCTETS. One that alone exceeds `octets` gets a batch to itself.
    """
    batch: list[Listed] = []
    weight = 0
    for item in listed:
        cost = item.size if item.size <= max_size else HEAD_OCTETS
        if batch and (len(batch) >= messages or weight + cost > octets):
            yield tuple(batch)
            batch, weight = [], 0
        batch.append(item)
        weight += cost
    if batch:
        yield tuple(batch)


def list_messages(client: IMAPClient, uids: Sequence[int]) -> list[Listed]:
    """Sizes and dates of those of `uids` that still exist, in order."""
    items = client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"])
    return [
        Listed(uid, int(data_item(items[uid], b"RFC822.SIZE")), _in_utc(items[uid].get(b"INTERNALDATE")))
        for uid in uids
        if uid in items
    ]


def _in_utc(internal_date: object) -> datetime | None:
    if not isinstance(internal_date, datetime):
        return None
    return internal_date.replace(tzinfo=internal_date.tzinfo or UTC).astimezone(UTC)


def fetch_contents(
    client: IMAPClient, batch: Sequence[Listed], max_size: int, spools: ExitStack
) -> Iterator[tuple[Listed, Octets]]:
    """Those of `batch` that still exist with their octets, in its order; their files live as long as `spools`."""
    small = min(SPOOLED_FROM - 1, max_size)
    whole = client.fetch([item.uid for item in batch if item.size <= small], ["BODY.PEEK[]"])
    for item in batch:
        content: Octets | None
        if item.size <= small:
            content = _body(whole, item.uid, b"BODY[]")
        elif item.size <= max_size:
            content = _spooled_body(client, item.uid, spools)
        else:
            content = _body_slice(client, item.uid, 0, HEAD_OCTETS)
        if content is not None and (len(content) or not item.size):
            yield item, content


def _body(items: Mapping[int, Mapping[bytes, Any]], uid: int, key: bytes) -> bytes | None:
    """The octets of message `uid`; None where it has vanished. Some servers say NIL for an empty one."""
    return (data_item(items[uid], key) or b"") if uid in items else None


class _Vanished(Exception):
    """The message was there when its sizes were listed."""


def _spooled_body(client: IMAPClient, uid: int, spools: ExitStack) -> Octets | None:
    """The octets of message `uid` as a file that is closed with `spools`; None where it has vanished."""
    try:
        return spools.enter_context(spooled(_body_slices(client, uid)))
    except _Vanished:
        return None


def _body_slices(client: IMAPClient, uid: int) -> Iterator[bytes]:
    """The octets of message `uid`, up to the first slice that is short.

    Why: RFC822.SIZE is a guess of some servers, but only where the message ends there may be less than was asked for
    (RFC 3501, 6.4.5).
    """
    for start in count(0, SLICE):
        octets = _body_slice(client, uid, start, SLICE)
        if octets is None:
            raise _Vanished
        yield octets
        if len(octets) < SLICE:
            return


def _body_slice(client: IMAPClient, uid: int, start: int, octets: int) -> bytes | None:
    items = client.fetch([uid], [f"BODY.PEEK[]<{start}.{octets}>"])
    return _body(items, uid, b"BODY[]<%d>" % start)


def data_item(item: Mapping[bytes, Any], key: bytes) -> Any:
    """What the server has to say. Why not skip the message: the cursor would pass over it and the mail be lost."""
    if key not in item:
        raise ProtocolError(f"a response without {key.decode()}")
    return item[key]
