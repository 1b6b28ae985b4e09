"""Accounts, sessions, tokens and refusals in the store. On both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.databases import database_url

from mailflow.adapters import schema
from mailflow.adapters.passwords import Argon2Passwords
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.accounts import SignIn, SignInKind
from mailflow.core.review import Account, AccountRole
from mailflow.testing import NOON

HOUR = timedelta(hours=1)
SAM = Account("sam", "Sam", AccountRole.SPECIALIST, time_zone="Europe/Berlin")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    yield SqlStore(engine)
    engine.dispose()


def session(letter: str = "a", account: str = "sam", **changes: object) -> SignIn:
    made = SignIn(letter * 64, SignInKind.SESSION, account, "", NOON, NOON, NOON + HOUR)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_an_account_is_what_was_added(store: SqlStore) -> None:
    with store.unit() as unit:
        assert unit.add_account(SAM, "hash", NOON, "ada")
    with store.view() as unit:
        assert unit.accounts() == [SAM]
        assert unit.account("sam") == SAM
        assert unit.password_hash("sam") == "hash"


def test_a_name_is_given_once_whatever_comes_with_it(store: SqlStore) -> None:
    with store.unit() as unit:
        assert unit.add_account(SAM, "hash", NOON, "ada")
        assert not unit.add_account(replace(SAM, role=AccountRole.ADMIN), "another", NOON, "eve")
        assert unit.account("sam") == SAM
        assert unit.password_hash("sam") == "hash"


def test_names_that_differ_in_case_are_two(store: SqlStore) -> None:
    with store.unit() as unit:
        unit.add_account(SAM, "", NOON, "ada")
        assert unit.account("SAM") is None
        assert unit.password_hash("SAM") == ""


def test_who_is_not_there_is_not_changed(store: SqlStore) -> None:
    with store.unit() as unit:
        assert not unit.change_account(SAM, NOON, "ada")


@pytest.mark.parametrize(
    ("changed", "ends"),
    [
        (replace(SAM, role=AccountRole.VIEWER), True),
        (replace(SAM, is_active=False), True),
        (replace(SAM, display_name="Samuel", time_zone="UTC"), False),
    ],
    ids=["another role", "closed", "another name and time zone"],
)
def test_what_he_may_do_ends_his_sign_ins_and_nothing_else_does(store: SqlStore, changed: Account, ends: bool) -> None:
    with store.unit() as unit:
        unit.add_account(SAM, "", NOON, "ada")
        unit.add_sign_in(session())
        unit.add_sign_in(session("b", "kim"))
        assert unit.change_account(changed, NOON, "ada")
        assert unit.account("sam") == changed
        assert (unit.sign_in("a" * 64) is None) is ends
        assert unit.sign_in("b" * 64) is not None


def test_a_session_is_found_by_all_of_its_hash_alone(store: SqlStore) -> None:
    with store.unit() as unit:
        unit.add_sign_in(session())
        assert unit.sign_in("a" * 64) == session()
        assert unit.sign_in("a" * 63) is None
        unit.seen("a" * 64, NOON + HOUR)
        assert unit.sign_in("a" * 64) == session(seen_at=NOON + HOUR)
        assert unit.end_sign_in("a" * 64)
        assert not unit.end_sign_in("a" * 64)


def test_all_sign_ins_of_one_end_and_nobody_else_s(store: SqlStore) -> None:
    with store.unit() as unit:
        for letter, account in (("a", "sam"), ("b", "sam"), ("c", "kim")):
            unit.add_sign_in(session(letter, account))
        assert len(unit.sign_ins("sam")) == 2
        unit.end_sign_ins("sam")
        assert unit.sign_ins("sam") == []
        assert len(unit.sign_ins("kim")) == 1


def test_old_sign_ins_are_forgotten(store: SqlStore) -> None:
    with store.unit() as unit:
        unit.add_sign_in(session())
        unit.forget_old_sign_ins(NOON + HOUR)
        assert unit.sign_in("a" * 64) is not None
        unit.forget_old_sign_ins(NOON + HOUR + timedelta(seconds=1))
        assert unit.sign_in("a" * 64) is None


def test_refusals_are_counted_by_name_and_forgotten(store: SqlStore) -> None:
    with store.unit() as unit:
        for minutes in (0, 30, 90):
            at = NOON + timedelta(minutes=minutes)
            unit.note_refusal("name sam", at, at - HOUR)
        unit.note_refusal("name kim", NOON, NOON - HOUR)
        later = NOON + timedelta(minutes=90)
        assert unit.refusals("name sam", later - HOUR) == [later]
        assert unit.refusals("name sam", NOON - HOUR) == [later], "what is older than an hour is gone"
        unit.forget_refusals("name sam")
        assert unit.refusals("name sam", NOON - HOUR) == []
        assert unit.refusals("name kim", NOON - HOUR) == [NOON]


def test_what_is_done_to_accounts_is_in_the_audit_trail(store: SqlStore) -> None:
    with store.unit() as unit:
        before = unit.newest_event()
        unit.add_account(SAM, "a secret hash", NOON, "ada")
        unit.change_account(replace(SAM, role=AccountRole.LEAD), NOON, "ada")
        unit.change_account(replace(SAM, role=AccountRole.LEAD, display_name="S."), NOON, "sam")
        assert unit.newest_event() == before + 2


def test_a_password_fits_its_own_hash_and_no_other() -> None:
    passwords = Argon2Passwords()
    hashed = passwords.hash("a long enough password")
    assert hashed.startswith("$argon2id$")
    assert passwords.fits(hashed, "a long enough password")
    assert not passwords.fits(hashed, "a long enough passwort")
    assert not passwords.fits("", "a long enough password")
    assert not passwords.fits("no hash", "a long enough password")
    assert not passwords.is_outdated(hashed)
    assert passwords.is_outdated(hashed.replace("t=3", "t=1"))
