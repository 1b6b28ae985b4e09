"""Signing in at an issuer of OpenID Connect. Rules: core/sign_in_elsewhere.py.

    begin    a flow is made; the browser goes to the issuer with it
    finish   it is back: the flow is ours, the issuer says who it is, the account is found or made, a session begins

Rule: who has no account gets one where the settings give new accounts a role, and is turned away where they do not. Of
an account that is there nothing is changed: roles are given here.
"""

import base64
import hmac
import secrets
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from mailflow.core.accounts import AccountProblem, SignInRefused
from mailflow.core.ports import Clock
from mailflow.core.review import Account, AccountRole
from mailflow.core.sign_in_elsewhere import LONGEST_NEXT, Flow, Identity, account_name, display_name, opened, sealed
from mailflow.services.accounts import Access

ACTOR = "sign-in elsewhere"
_OVER = "this sign-in took too long, or was begun in another browser: begin again"


class Issuer(Protocol):
    def begin(self, flow: Flow) -> str:
        """Where the browser goes. Raises ConnectionFailed, SignInRefused."""
        ...

    def identity(self, code: str, flow: Flow) -> Identity:
        """Who came back with `code`. Raises ConnectionFailed, SignInRefused."""
        ...

    def is_itself(self, iss: str) -> bool:
        """Whether an answer is from this issuer (RFC 9207). '' where it does not say."""
        ...


@dataclass(frozen=True, slots=True)
class Back:
    """What the issuer sent the browser back with."""

    state: str = ""
    code: str = ""
    error: str = ""
    iss: str = ""


def _secret() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii").rstrip("=")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    access: Access
    issuer: Issuer
    label: str
    """Of the button."""
    domains: Collection[str]
    role: AccountRole | None
    """Of accounts that are made by signing in; None where none are."""
    clock: Clock
    key: bytes = field(repr=False)
    new_secret: Callable[[], str] = _secret

    def begin(self, next_: str) -> tuple[str, str]:
        """(where the browser goes, what it brings back). Raises ConnectionFailed, SignInRefused."""
        now = int(self.clock.now().timestamp())
        where = next_ if len(next_) <= LONGEST_NEXT else "/"
        flow = Flow(self.new_secret(), self.new_secret(), self.new_secret(), where, now)
        return self.issuer.begin(flow), sealed(flow, self.key)

    def finish(self, kept: str, back: Back) -> tuple[str, str]:
        """(the secret of a new session, where to go). Raises ConnectionFailed, SignInRefused."""
        flow = opened(kept, self.key, self.clock.now())
        if flow is None or not hmac.compare_digest(back.state.encode(), flow.state.encode()):
            raise SignInRefused(_OVER)
        if not self.issuer.is_itself(back.iss):
            raise SignInRefused("this answer is from another sign-in server: begin again")
        if back.error or not back.code:
            raise SignInRefused("the sign-in server let nobody in: begin again, or ask whoever runs it")
        identity = self.issuer.identity(back.code, flow)
        return self.access.begin_session(self._account(identity)), flow.next

    def _account(self, identity: Identity) -> Account:
        name = account_name(identity, self.domains)
        account = self._known(name)
        if account is None and self.role is not None:
            with suppress(AccountProblem):  # he has come in by another door this moment
                self.access.add(Account(name, display_name(identity, name), self.role), None, ACTOR)
            account = self._known(name)
        if account is None:
            raise SignInRefused(f"there is no account {name} yet: ask whoever runs the desk")
        if not account.is_active:
            raise SignInRefused(f"the account {name} is closed: ask whoever runs the desk")
        return account

    def _known(self, name: str) -> Account | None:
        with self.access.store.view() as unit:
            return unit.account(name)
