"""Who signs in, for how long, and who must wait."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from tests.services.office import memory_store

from mailflow.adapters.store import SqlStore
from mailflow.core.accounts import (
    FREE_TRIES,
    IDLE,
    LONGEST,
    WINDOW,
    AccountProblem,
    SignInKind,
    SignInRefused,
    TooManyTries,
)
from mailflow.core.review import Account, AccountRole
from mailflow.services.accounts import TOKEN_PREFIX, Access
from mailflow.testing import FrozenClock

PASSWORD = "a long enough password"
SAM = Account("sam", "Sam", AccountRole.SPECIALIST)
HERE, THERE = "192.0.2.1", "192.0.2.2"


@dataclass(slots=True)
class CountingPasswords:
    """As good as argon2id for tests; counts how often it was asked."""

    version: int = 1
    asked: int = 0
    hashed: list[str] = field(default_factory=list)

    def hash(self, password: str) -> str:
        self.hashed.append(password)
        return f"{self.version} {password}"

    def fits(self, password_hash: str, password: str) -> bool:
        self.asked += 1
        return password_hash.partition(" ")[2] == password

    def is_outdated(self, password_hash: str) -> bool:
        return not password_hash.startswith(str(self.version))


@dataclass(slots=True)
class Door:
    store: SqlStore = field(default_factory=memory_store)
    clock: FrozenClock = field(default_factory=FrozenClock)
    passwords: CountingPasswords = field(default_factory=CountingPasswords)
    access: Access = field(init=False)

    def __post_init__(self) -> None:
        self.access = Access(store=self.store, passwords=self.passwords, clock=self.clock)
        self.access.add(SAM, PASSWORD, "test")

    def refused(self, times: int, name: str = "sam", address: str = HERE) -> None:
        for _ in range(times):
            with pytest.raises(SignInRefused):
                self.access.sign_in(name, "wrong", address)


@pytest.fixture
def door() -> Door:
    return Door()


def test_the_right_password_begins_a_session_of_the_account(door: Door) -> None:
    signed = door.access.who(door.access.sign_in("sam", PASSWORD, HERE))
    assert signed is not None
    assert (signed.account, signed.kind) == (SAM, SignInKind.SESSION)


def test_each_session_has_a_secret_of_its_own_that_is_stored_nowhere(door: Door) -> None:
    secrets = {door.access.sign_in("sam", PASSWORD, HERE) for _ in range(3)}
    assert len(secrets) == 3
    with door.store.view() as unit:
        stored = str(unit.sign_ins("sam"))
    assert not [one for one in secrets if one in stored]


@pytest.mark.parametrize("name", ["nobody", "", "sam\0", "SAM", "sam " * 40, "a b", "\u202esam"])
def test_whoever_is_not_there_costs_the_same_work_and_hears_the_same(door: Door, name: str) -> None:
    before = door.passwords.asked
    with pytest.raises(SignInRefused) as unknown:
        door.access.sign_in(name, "wrong", HERE)
    assert door.passwords.asked == before + 1
    with pytest.raises(SignInRefused) as known:
        door.access.sign_in("sam", "wrong", THERE)
    assert str(unknown.value) == str(known.value)


def test_a_closed_account_and_one_without_a_password_are_not_let_in(door: Door) -> None:
    door.access.add(Account("kim", "Kim", AccountRole.VIEWER), None, "test")
    for password in ("", "wrong"):
        with pytest.raises(SignInRefused):
            door.access.sign_in("kim", password, HERE)
    door.access.close("sam", "test")
    with pytest.raises(SignInRefused):
        door.access.sign_in("sam", PASSWORD, HERE)


# ---------------------------------------------------------------------- waiting


def test_who_guesses_one_name_from_many_places_waits(door: Door) -> None:
    for number in range(FREE_TRIES):
        door.refused(1, address=f"192.0.2.{number}")
    with pytest.raises(TooManyTries):
        door.access.sign_in("sam", PASSWORD, THERE)


def test_who_guesses_many_names_from_one_place_waits_and_nobody_else_does(door: Door) -> None:
    for number in range(FREE_TRIES):
        door.refused(1, name=f"name{number}")
    with pytest.raises(TooManyTries):
        door.access.sign_in("sam", PASSWORD, HERE)
    assert door.access.sign_in("sam", PASSWORD, THERE)


def test_while_he_waits_no_password_is_looked_at(door: Door) -> None:
    door.refused(FREE_TRIES)
    before = door.passwords.asked
    with pytest.raises(TooManyTries) as caught:
        door.access.sign_in("sam", PASSWORD, HERE)
    assert door.passwords.asked == before
    assert "wait 11 seconds" in str(caught.value)


def test_each_further_refusal_doubles_the_wait_up_to_half_an_hour(door: Door) -> None:
    door.refused(FREE_TRIES)
    waits = []
    for _ in range(6):
        with pytest.raises(TooManyTries) as caught:
            door.access.sign_in("sam", "wrong", HERE)
        waits.append(caught.value.wait.total_seconds())
        door.clock.advance(caught.value.wait)
        door.refused(1)
    assert waits == [10, 20, 40, 80, 160, 320]


def test_a_success_makes_his_refusals_forgotten_but_not_those_of_the_place(door: Door) -> None:
    """Else who has an account could guess on for others between two sign-ins of his own."""
    door.access.add(Account("kim", "Kim", AccountRole.VIEWER), PASSWORD, "test")
    door.refused(FREE_TRIES - 1, name="kim")
    assert door.access.sign_in("sam", PASSWORD, HERE)
    door.refused(1, name="kim")
    with pytest.raises(TooManyTries):
        door.access.sign_in("sam", PASSWORD, HERE)


def test_after_an_hour_all_is_forgotten(door: Door) -> None:
    door.refused(FREE_TRIES)
    door.clock.advance(WINDOW)
    assert door.access.sign_in("sam", PASSWORD, HERE)


# ---------------------------------------------------------------------- how long


def test_a_session_ends_when_nobody_uses_it_and_lives_when_somebody_does(door: Door) -> None:
    used, unused = door.access.sign_in("sam", PASSWORD, HERE), door.access.sign_in("sam", PASSWORD, HERE)
    door.clock.advance(IDLE)
    assert door.access.who(used) is not None
    door.clock.advance(timedelta(seconds=1))
    assert door.access.who(used) is not None
    assert door.access.who(unused) is None


def test_however_much_it_is_used_it_ends_after_a_week(door: Door) -> None:
    secret = door.access.sign_in("sam", PASSWORD, HERE)
    for _ in range(LONGEST // (IDLE / 2)):
        assert door.access.who(secret) is not None
        door.clock.advance(IDLE / 2)
    assert door.access.who(secret) is None


def test_a_token_does_not_end_by_rest_and_ends_on_its_day(door: Door) -> None:
    token = door.access.add_token("sam", "reports", timedelta(days=30))
    assert token.startswith(TOKEN_PREFIX)
    door.clock.advance(timedelta(days=29))
    signed = door.access.who(token)
    assert signed is not None
    assert signed.kind is SignInKind.TOKEN
    door.clock.advance(timedelta(days=1))
    assert door.access.who(token) is None


def test_a_token_of_a_closed_account_is_none(door: Door) -> None:
    token = door.access.add_token("sam", "reports", timedelta(days=30))
    door.access.close("sam", "test")
    assert door.access.who(token) is None


def test_signing_out_ends_one_session_and_everywhere_all(door: Door) -> None:
    first, second = door.access.sign_in("sam", PASSWORD, HERE), door.access.sign_in("sam", PASSWORD, HERE)
    door.access.sign_out(first)
    assert door.access.who(first) is None
    assert door.access.who(second) is not None
    door.access.sign_out_everywhere("sam")
    assert door.access.who(second) is None


def test_a_new_password_ends_all_that_was_begun_with_the_old_one(door: Door) -> None:
    secret, token = door.access.sign_in("sam", PASSWORD, HERE), door.access.add_token("sam", "x", LONGEST)
    door.access.set_password("sam", "another long password")
    assert door.access.who(secret) is None
    assert door.access.who(token) is None
    with pytest.raises(SignInRefused):
        door.access.sign_in("sam", PASSWORD, HERE)
    assert door.access.sign_in("sam", "another long password", HERE)


def test_a_hash_of_old_parameters_is_made_anew_by_the_right_password(door: Door) -> None:
    door.passwords.version = 2
    door.access.sign_in("sam", PASSWORD, HERE)
    with door.store.view() as unit:
        assert unit.password_hash("sam") == f"2 {PASSWORD}"


# ---------------------------------------------------------------------- accounts and tokens


@pytest.mark.parametrize("name", ["", "two words", "sam\n", "n" * 65, "a\0b", "\u202emas"])
def test_what_is_no_name_is_none(door: Door, name: str) -> None:
    with pytest.raises(AccountProblem, match="one word"):
        door.access.add(replace(SAM, name=name), PASSWORD, "test")


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "I am SAM of the desk"])
def test_a_password_that_is_easily_guessed_is_refused(door: Door, password: str) -> None:
    with pytest.raises(AccountProblem):
        door.access.set_password("sam", password)
    assert door.access.sign_in("sam", PASSWORD, HERE), "the old one still counts"


def test_what_is_asked_of_an_account_that_is_not_there_is_a_sentence(door: Door) -> None:
    ghost = Account("ghost", "Ghost", AccountRole.VIEWER)
    for act in (
        lambda: door.access.change(ghost, "test"),
        lambda: door.access.set_password("ghost", PASSWORD),
        lambda: door.access.close("ghost", "test"),
        lambda: door.access.add_token("ghost", "x", LONGEST),
    ):
        with pytest.raises(AccountProblem, match="there is no account ghost"):
            act()
    with pytest.raises(AccountProblem, match="already"):
        door.access.add(SAM, PASSWORD, "test")


def test_a_token_is_revoked_by_the_beginning_of_its_id_and_by_nobody_else(door: Door) -> None:
    door.access.add(Account("kim", "Kim", AccountRole.VIEWER), PASSWORD, "test")
    token = door.access.add_token("sam", "reports", LONGEST)
    (listed,) = door.access.tokens("sam")
    assert listed.name == "reports"
    assert not door.access.revoke_token("sam", listed.token_sha256[:7]), "too short to be meant"
    assert not door.access.revoke_token("kim", listed.token_sha256)
    assert not door.access.revoke_token("sam", "0" * 64)
    assert door.access.who(token) is not None
    assert door.access.revoke_token("sam", listed.token_sha256[:8])
    assert door.access.who(token) is None


def test_a_session_is_no_token_in_the_list(door: Door) -> None:
    door.access.sign_in("sam", PASSWORD, HERE)
    assert door.access.tokens("sam") == []


def test_a_new_password_and_tokens_are_in_the_trail_with_who(door: Door) -> None:
    door.access.set_password("sam", "another long password", "root")
    token = door.access.add_token("sam", "reports", timedelta(days=30))
    (listed,) = door.access.tokens("sam")
    assert door.access.revoke_token("sam", listed.token_sha256[:8], "root")
    with door.store.engine.connect() as connection:
        said = connection.execute(text("SELECT actor, kind, sentence FROM audit_event ORDER BY id")).all()
    mark = listed.token_sha256[:16]
    assert [tuple(row) for row in said[-3:]] == [
        ("root", "password changed", "sam"),
        ("sam", "token made", f"sam: {mark}, 30 days"),
        ("root", "token revoked", f"sam: {mark}"),
    ]
    assert not any(token in row.sentence for row in said)
