"""Bytes in, an understood mail out: the whole of reading in the order in which it happens."""

from mailflow.core.storage import Understood
from mailflow.reading import facts, origin, parse, sender


def understand(content: bytes, size: int | None, desk: sender.Desk) -> Understood:
    """Read one mail. Total: bad mail yields defects. `size` is the size on the server where `content` was cut short."""
    message = parse.parse(content, size=size)
    return Understood(
        message=message,
        origin=origin.detect(message, content, desk),
        sender=sender.identify(message, desk),
        facts=facts.find(message, desk),
    )
