"""Signing in with an access token (SASL): OAUTHBEARER (RFC 7628) and XOAUTH2, the older form of Google and Microsoft.

Rule: the first of MECHANISMS that the server offers.
Rule: a server says why it refuses before it says that it does, and waits. The client answers with `after_error`, then
      the refusal comes. Why here: imapclient's own methods answer with the token once more, which is no such answer.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mechanism:
    name: str
    response: Callable[[str, str], bytes]
    """Of a user and an access token: what is sent first, before base64."""
    after_error: bytes


def oauthbearer(user: str, token: str) -> bytes:
    """RFC 7628, 3.1. In the GS2 header `=` and `,` of the user are escaped (RFC 5801, 4)."""
    escaped = user.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={escaped},\x01auth=Bearer {token}\x01\x01".encode()


def xoauth2(user: str, token: str) -> bytes:
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


MECHANISMS = (
    Mechanism("OAUTHBEARER", oauthbearer, b"\x01"),
    Mechanism("XOAUTH2", xoauth2, b""),
)


def choose(offered: Collection[str]) -> Mechanism | None:
    """The mechanism for a server that offers these names, in capital letters; None if it offers none of ours."""
    return next((one for one in MECHANISMS if one.name in offered), None)
