"""Who may sign in to the review desk, and how long somebody who guesses must wait.

Rule: a secret that we hand out (session, token) is stored as its SHA-256 alone. Why plain SHA-256: it has 256 random
bits; a password has not, and is stored by argon2id.
Rule: a session ends when it was idle or old for too long, when its account is changed, and when somebody signs out.
Rule: who fails waits: the fifth refusal within an hour locks the name, and the address, for longer and longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailflow.core.review import Account, AccountRole
from mailflow.errors import MailflowError

IDLE = timedelta(hours=8)
LONGEST = timedelta(days=7)
WINDOW = timedelta(hours=1)
"""Of this time refusals count."""
FREE_TRIES = 5
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=10), timedelta(minutes=30)
SHORTEST_PASSWORD = 12
LONGEST_NAME = 64


class SignInKind(StrEnum):
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session or a token, without its secret."""

    token_sha256: str
    kind: SignInKind
    account: str
    name: str
    """What a token is for; '' for sessions."""
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Signed:
    """Who makes a request, and by what."""

    account: Account
    kind: SignInKind


class SignInRefused(MailflowError):
    """Name and password do not fit, or the account is closed; which of them is not said."""

    temporary = False


class TooManyTries(MailflowError):
    """Wait, then try again."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"too many tries: wait {int(wait.total_seconds()) + 1} seconds, then try again")
        self.wait = wait


class AccountProblem(MailflowError):
    """An account cannot be made or changed like this; the sentence says why."""

    temporary = False


class LastAdmin(AccountProblem):
    """Nobody would be left who may change accounts."""


def is_name(name: str) -> bool:
    """Whether an account can be called this."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and " " not in name


def can_change(accounts: Sequence[Account], changed: Account) -> bool:
    """Whether an account is left that may change accounts."""
    others = any(one.role is AccountRole.ADMIN and one.is_active and one.name != changed.name for one in accounts)
    return others or (changed.role is AccountRole.ADMIN and changed.is_active)


def is_over(sign_in: SignIn, now: datetime) -> bool:
    if now >= sign_in.expires_at:
        return True
    return sign_in.kind is SignInKind.SESSION and now - sign_in.seen_at > IDLE


def wait_after(refusals: Sequence[datetime], now: datetime) -> timedelta:
    """How long a name or address must wait that was refused at these times; zero where it may try."""
    recent = [at for at in refusals if now - at < WINDOW]
    if len(recent) < FREE_TRIES:
        return timedelta(0)
    doubled: int = 1 << min(len(recent) - FREE_TRIES, 16)
    wait = min(_FIRST_WAIT * doubled, _LONGEST_WAIT)
    return max(max(recent) + wait - now, timedelta(0))


def password_problem(password: str, name: str) -> str:
    """What is wrong with a new password, '' if nothing (NIST SP 800-63B: length, not composition)."""
    if len(password) < SHORTEST_PASSWORD:
        return f"a password has at least {SHORTEST_PASSWORD} characters"
    if name.lower() in password.lower():
        return "a password does not hold the account's name"
    if len(set(password)) < 5:
        return "a password has at least five different characters"
    return ""
