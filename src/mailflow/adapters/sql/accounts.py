"""Accounts of the review desk, their sessions and tokens, and refused sign-ins."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update

from mailflow.adapters.sql.session import ACCOUNT, ATTEMPT, SIGN_IN, Session
from mailflow.core.accounts import SignIn, SignInKind
from mailflow.core.review import Account, AccountRole

_MOST_ATTEMPTS = 100


def _account(row: Row[Any]) -> Account:
    return Account(row.name, row.display_name, AccountRole(row.role), row.is_active, row.time_zone)


class Accounts(Session):
    def accounts(self) -> list[Account]:
        return [_account(row) for row in self._db.execute(select(ACCOUNT).order_by(ACCOUNT.c.name))]

    def account(self, name: str) -> Account | None:
        row = self._db.execute(select(ACCOUNT).where(ACCOUNT.c.name == name)).first()
        return _account(row) if row else None

    def password_hash(self, name: str) -> str:
        """'' where there is no such account, or one without a password."""
        return self._db.scalar(select(ACCOUNT.c.password_hash).where(ACCOUNT.c.name == name)) or ""

    def add_account(self, account: Account, password_hash: str, now: datetime, actor: str) -> bool:
        """False where the name is taken."""
        done = self._run(
            self._insert(ACCOUNT)
            .values(
                name=account.name,
                display_name=account.display_name,
                role=account.role,
                password_hash=password_hash,
                is_active=account.is_active,
                time_zone=account.time_zone,
                created_at=now,
            )
            .on_conflict_do_nothing()
        )
        if done:
            self._tell(now, actor, "account added", f"{account.name} ({account.role})", None, None)
        return bool(done)

    def change_account(self, account: Account, now: datetime, actor: str) -> bool:
        """Display name, role, activity, time zone. A changed role or a closed account ends its sign-ins."""
        before = self.account(account.name)
        if before is None:
            return False
        values = {
            "display_name": account.display_name,
            "role": account.role,
            "is_active": account.is_active,
            "time_zone": account.time_zone,
        }
        self._db.execute(update(ACCOUNT).where(ACCOUNT.c.name == account.name).values(values))
        if (before.role, before.is_active) != (account.role, account.is_active):
            self.end_sign_ins(account.name)
            state = "active" if account.is_active else "closed"
            self._tell(now, actor, "account changed", f"{account.name}: {account.role}, {state}", None, None)
        return True

    def set_password_hash(self, name: str, password_hash: str) -> None:
        self._db.execute(update(ACCOUNT).where(ACCOUNT.c.name == name).values(password_hash=password_hash))

    # ------------------------------------------------------------------ sessions and tokens

    def add_sign_in(self, sign_in: SignIn) -> None:
        values = {
            "token_sha256": sign_in.token_sha256,
            "kind": sign_in.kind,
            "account": sign_in.account,
            "name": sign_in.name,
            "created_at": sign_in.created_at,
            "seen_at": sign_in.seen_at,
            "expires_at": sign_in.expires_at,
        }
        self._db.execute(SIGN_IN.insert(), values)

    def sign_in(self, token_sha256: str) -> SignIn | None:
        row = self._db.execute(select(SIGN_IN).where(SIGN_IN.c.token_sha256 == token_sha256)).first()
        return _sign_in(row) if row else None

    def sign_ins(self, account: str) -> list[SignIn]:
        """Newest first."""
        rows = self._db.execute(
            select(SIGN_IN).where(SIGN_IN.c.account == account).order_by(SIGN_IN.c.created_at.desc())
        )
        return [_sign_in(row) for row in rows]

    def seen(self, token_sha256: str, now: datetime) -> None:
        self._db.execute(update(SIGN_IN).where(SIGN_IN.c.token_sha256 == token_sha256).values(seen_at=now))

    def end_sign_in(self, token_sha256: str) -> bool:
        return bool(self._run(delete(SIGN_IN).where(SIGN_IN.c.token_sha256 == token_sha256)))

    def end_sign_ins(self, account: str) -> None:
        self._db.execute(delete(SIGN_IN).where(SIGN_IN.c.account == account))

    def forget_old_sign_ins(self, now: datetime) -> None:
        self._db.execute(delete(SIGN_IN).where(SIGN_IN.c.expires_at < now))

    # ------------------------------------------------------------------ refusals

    def refusals(self, key: str, since: datetime) -> list[datetime]:
        """When sign-ins for `key` (a name, an address) were refused."""
        return list(
            self._db.scalars(
                select(ATTEMPT.c.at)
                .where(ATTEMPT.c.key == key, ATTEMPT.c.at > since)
                .order_by(ATTEMPT.c.at.desc())
                .limit(_MOST_ATTEMPTS)
            )
        )

    def note_refusal(self, key: str, now: datetime, since: datetime) -> None:
        """`since`: older refusals are forgotten."""
        self._db.execute(delete(ATTEMPT).where(ATTEMPT.c.key == key, ATTEMPT.c.at <= since))
        self._insert_row(ATTEMPT, key=key, at=now)

    def forget_refusals(self, key: str) -> None:
        self._db.execute(delete(ATTEMPT).where(ATTEMPT.c.key == key))


def _sign_in(row: Row[Any]) -> SignIn:
    return SignIn(
        row.token_sha256,
        SignInKind(row.kind),
        row.account,
        row.name,
        row.created_at,
        row.seen_at,
        row.expires_at,
    )
