"""Signing in, and the accounts. Rules: core/accounts.py.

Rule: an unknown name costs the same work as a wrong password (a hash that nothing fits is checked), and is told by the
same sentence.
"""

import hashlib
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from mailflow.core.accounts import (
    LONGEST,
    WINDOW,
    AccountProblem,
    Signed,
    SignIn,
    SignInKind,
    SignInRefused,
    TooManyTries,
    is_name,
    is_over,
    password_problem,
    wait_after,
)
from mailflow.core.ports import Clock
from mailflow.core.review import Account

_SEEN_EVERY = timedelta(minutes=1)
TOKEN_PREFIX = "mfl_"  # noqa: S105 - how a token is recognised, and found where it does not belong
_ID = 16
"""Characters by which a token is called in the trail and in lists."""
_REFUSED = "name and password do not fit, or the account is closed"


class AccountsUnit(Protocol):
    def accounts(self) -> list[Account]: ...
    def account(self, name: str) -> Account | None: ...
    def password_hash(self, name: str) -> str: ...
    def add_account(self, account: Account, password_hash: str, now: datetime, actor: str) -> bool: ...
    def change_account(self, account: Account, now: datetime, actor: str) -> bool: ...
    def set_password_hash(self, name: str, password_hash: str) -> None: ...
    def add_sign_in(self, sign_in: SignIn) -> None: ...
    def sign_in(self, token_sha256: str) -> SignIn | None: ...
    def sign_ins(self, account: str) -> list[SignIn]: ...
    def seen(self, token_sha256: str, now: datetime) -> None: ...
    def end_sign_in(self, token_sha256: str) -> bool: ...
    def end_sign_ins(self, account: str) -> None: ...
    def forget_old_sign_ins(self, now: datetime) -> None: ...
    def refusals(self, key: str, since: datetime) -> list[datetime]: ...
    def note_refusal(self, key: str, now: datetime, since: datetime) -> None: ...
    def forget_refusals(self, key: str) -> None: ...
    def tell(self, actor: str, kind: str, sentence: str, now: datetime) -> None: ...


class AccountsStore(Protocol):
    def unit(self) -> AbstractContextManager[AccountsUnit]: ...
    def view(self) -> AbstractContextManager[AccountsUnit]: ...


class Passwords(Protocol):
    """Hashes passwords (argon2id, RFC 9106)."""

    def hash(self, password: str) -> str: ...
    def fits(self, password_hash: str, password: str) -> bool: ...
    def is_outdated(self, password_hash: str) -> bool: ...


class Access:
    def __init__(
        self,
        *,
        store: AccountsStore,
        passwords: Passwords,
        clock: Clock,
        new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self.store, self._passwords, self._clock, self._new_secret = store, passwords, clock, new_secret
        self._nobody = passwords.hash(new_secret())

    # ------------------------------------------------------------------ signing in

    def sign_in(self, name: str, password: str, address: str) -> str:
        """The secret of a new session. Raises SignInRefused, TooManyTries. `address`: where the request came from."""
        name = name if is_name(name) else ""
        now, keys = self._clock.now(), (f"name {name}", f"address {address}")
        with self.store.view() as unit:
            wait = max(wait_after(unit.refusals(key, now - WINDOW), now) for key in keys)
            account, stored = unit.account(name), unit.password_hash(name)
        if wait:
            raise TooManyTries(wait)
        fits = self._passwords.fits(stored or self._nobody, password)
        if account is None or not stored or not account.is_active or not fits:
            with self.store.unit() as unit:
                for key in keys:
                    unit.note_refusal(key, now, now - WINDOW)
            raise SignInRefused(_REFUSED)
        if self._passwords.is_outdated(stored):
            with self.store.unit() as unit:
                unit.set_password_hash(name, self._passwords.hash(password))
        return self.begin_session(account)

    def begin_session(self, account: Account) -> str:
        """The secret of a new session of an account that has proved who it is."""
        now, secret = self._clock.now(), self._new_secret()
        with self.store.unit() as unit:
            unit.forget_refusals(f"name {account.name}")
            unit.forget_old_sign_ins(now)
            unit.add_sign_in(SignIn(_hash(secret), SignInKind.SESSION, account.name, "", now, now, now + LONGEST))
        return secret

    def who(self, secret: str, *, is_used: bool = True) -> Signed | None:
        """Whose session or token this is; None where it is none, or over. `is_used`: whether that prolongs it."""
        now = self._clock.now()
        with self.store.view() as unit:
            found = unit.sign_in(_hash(secret))
            account = unit.account(found.account) if found else None
        if found is None or account is None or not account.is_active or is_over(found, now):
            return None
        if is_used and now - found.seen_at > _SEEN_EVERY:
            with self.store.unit() as unit:
                unit.seen(found.token_sha256, now)
        return Signed(account, found.kind)

    def sign_out(self, secret: str) -> None:
        with self.store.unit() as unit:
            unit.end_sign_in(_hash(secret))

    def sign_out_everywhere(self, name: str) -> None:
        with self.store.unit() as unit:
            unit.end_sign_ins(name)

    # ------------------------------------------------------------------ accounts

    def add(self, account: Account, password: str | None, actor: str) -> None:
        """`password` None: it signs in elsewhere. Raises AccountProblem."""
        if not is_name(account.name):
            raise AccountProblem("an account's name is one word of at most 64 characters")
        self._check_password(password, account.name)
        hashed = "" if password is None else self._passwords.hash(password)
        with self.store.unit() as unit:
            if not unit.add_account(account, hashed, self._clock.now(), actor):
                raise AccountProblem(f"there is an account {account.name} already")

    def change(self, account: Account, actor: str) -> None:
        """Role, activity, display name, time zone. Raises AccountProblem."""
        with self.store.unit() as unit:
            if not unit.change_account(account, self._clock.now(), actor):
                raise AccountProblem(f"there is no account {account.name}")

    def set_password(self, name: str, password: str, actor: str = "") -> None:
        """All its sign-ins end. Raises AccountProblem. `actor`: '' for the account itself."""
        self._check_password(password, name)
        hashed = self._passwords.hash(password)
        with self.store.unit() as unit:
            if unit.account(name) is None:
                raise AccountProblem(f"there is no account {name}")
            unit.set_password_hash(name, hashed)
            unit.end_sign_ins(name)
            unit.tell(actor or name, "password changed", name, self._clock.now())

    def close(self, name: str, actor: str) -> None:
        with self.store.view() as unit:
            account = unit.account(name)
        if account is None:
            raise AccountProblem(f"there is no account {name}")
        self.change(replace(account, is_active=False), actor)

    def _check_password(self, password: str | None, name: str) -> None:
        if password is not None and (problem := password_problem(password, name)):
            raise AccountProblem(problem)

    # ------------------------------------------------------------------ tokens

    def add_token(self, name: str, what_for: str, lifetime: timedelta, actor: str = "") -> str:
        """The token, which is shown this once. Raises AccountProblem. `actor`: '' for the account itself."""
        now, secret = self._clock.now(), TOKEN_PREFIX + self._new_secret()
        with self.store.unit() as unit:
            if unit.account(name) is None:
                raise AccountProblem(f"there is no account {name}")
            unit.add_sign_in(SignIn(_hash(secret), SignInKind.TOKEN, name, what_for, now, now, now + lifetime))
            unit.tell(actor or name, "token made", f"{name}: {_hash(secret)[:_ID]}, {lifetime.days} days", now)
        return secret

    def tokens(self, name: str) -> list[SignIn]:
        with self.store.view() as unit:
            return [one for one in unit.sign_ins(name) if one.kind is SignInKind.TOKEN]

    def revoke_token(self, name: str, token_sha256: str, actor: str = "") -> bool:
        """`token_sha256`: all of it or its beginning of at least 8 characters. `actor`: '' for the account itself."""
        if len(token_sha256) < 8:
            return False
        with self.store.unit() as unit:
            mine = [one for one in unit.sign_ins(name) if one.token_sha256.startswith(token_sha256)]
            is_done = len(mine) == 1 and unit.end_sign_in(mine[0].token_sha256)
            if is_done:
                sentence = f"{name}: {mine[0].token_sha256[:_ID]}"
                unit.tell(actor or name, "token revoked", sentence, self._clock.now())
            return is_done


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
