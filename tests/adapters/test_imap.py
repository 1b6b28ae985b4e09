"""The IMAP source against Dovecot; against scripted servers only for what Dovecot never does."""

import logging
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.imap_desk import USER, Desk, mail, messages, subjects
from tests.servers import BARE_HOST, OLD_HOST, MailServers, Relay, ScriptedServer

from mailflow.adapters.imap import ImapAccount, ImapSource, announces_mail
from mailflow.adapters.imap_messages import HEAD_OCTETS, MIB, Listed, fetch_contents, plan_batches
from mailflow.core.message import MailRef
from mailflow.core.ports import Cursor, Disposition, Survey
from mailflow.errors import ConnectionFailed, LoginRefused

LONG = timedelta(seconds=60)


# -- pure ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 3000), max_size=60), st.integers(1, 7), st.integers(1, 5000), st.integers(0, 2000)
)  # fmt: skip
def test_a_plan_keeps_order_and_limits(sizes: list[int], most: int, octets: int, max_size: int) -> None:
    listed = [Listed(uid, size, None) for uid, size in enumerate(sizes, 1)]
    plan = list(plan_batches(listed, messages=most, octets=octets, max_size=max_size))
    assert [item for batch in plan for item in batch] == listed
    for batch in plan:
        cost = sum(item.size if item.size <= max_size else HEAD_OCTETS for item in batch)
        assert len(batch) == 1 or (len(batch) <= most and cost <= octets)


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ([(3, b"EXISTS")], True),
        ([(b"OK", b"Still here"), (1, b"RECENT")], True),
        ([(2, b"EXPUNGE"), (1, b"FETCH", (b"FLAGS", (rb"\Seen",)))], False),
        ([(b"OK", b"Still here")], False),
        ([], False),
    ],
)
def test_only_exists_and_recent_announce_mail(responses: list[object], expected: bool) -> None:
    assert announces_mail(responses) is expected


def test_the_password_is_in_no_repr() -> None:
    assert "hush" not in repr(ImapAccount("imap.helpdesk.example", 993, "tls", "support", "hush"))


# -- fetch ---------------------------------------------------------------------------------------------------------


def test_all_mail_is_read_and_none_is_marked(desk: Desk, source: ImapSource) -> None:
    desk.append("unread")
    desk.append("read already", flags=[rb"\Seen"])
    before = desk.flags()
    found = messages(source.fetch(None))
    assert [m.content for m in found] == [mail("unread"), mail("read already")]
    assert [m.size for m in found] == [None, None]
    assert desk.flags() == before
    assert found[0].ref == MailRef(f"{USER}@127.0.0.1", desk.name, found[0].ref.uid_validity, 1)
    assert found[0].internal_date is not None
    assert abs(datetime.now(UTC) - found[0].internal_date) < timedelta(minutes=5)


def test_only_mail_after_the_cursor_is_read_although_n_star_names_the_last(desk: Desk, source: ImapSource) -> None:
    desk.append("one", "two")
    *_, last = source.fetch(None)
    assert last.cursor is not None
    assert last.cursor.last_uid == 2
    assert list(source.fetch(last.cursor)) == []
    desk.append("three")
    assert subjects(source.fetch(last.cursor)) == ["three"]


def test_an_empty_mailbox_gives_no_batch(source: ImapSource) -> None:
    assert list(source.fetch(None)) == []


def test_batches_are_small_and_each_has_the_cursor_that_it_reaches(desk: Desk) -> None:
    desk.append("1", "2", "3", "4", "5")
    source = ImapSource(desk.account(batch_messages=2))
    batches = list(source.fetch(None))
    source.close()
    assert [len(batch.messages) for batch in batches] == [2, 2, 1]
    assert [batch.cursor.last_uid for batch in batches if batch.cursor] == [2, 4, 5]


def test_a_mail_over_the_limit_is_read_in_part_and_says_its_size(desk: Desk) -> None:
    desk.append("small")
    desk.append("large", octets=2 * MIB)
    source = ImapSource(desk.account(max_size=MIB + 1))
    small, large = messages(source.fetch(None))
    source.close()
    assert not small.is_truncated
    assert large.is_truncated
    assert len(large.content) == HEAD_OCTETS
    assert large.content == mail("large", 2 * MIB)[:HEAD_OCTETS]
    assert large.size == len(mail("large", 2 * MIB))


def test_a_mail_that_vanishes_meanwhile_is_passed_over(desk: Desk) -> None:
    desk.append("1", "2", "3", "4")
    source = ImapSource(desk.account(batch_messages=1))
    batches = source.fetch(None)
    (first,) = next(batches).messages
    desk.delete(2, 4)
    # Any command but FETCH and SEARCH lets the session know of it (RFC 3501, 7.4.1).
    source.acknowledge([first.ref], Disposition.PROCESSED)
    rest = list(batches)
    source.close()
    assert [m.ref.uid for batch in rest for m in batch.messages] == [3]
    assert rest[-1].cursor is not None
    assert rest[-1].cursor.last_uid == 4


def test_a_changed_uidvalidity_makes_everything_new(desk: Desk, source: ImapSource) -> None:
    desk.append("one")
    (first,) = source.fetch(None)
    assert first.cursor is not None
    desk.program.delete_folder(desk.name)
    desk.program.create_folder(desk.name)
    desk.append("one again")
    source.close()
    (second,) = source.fetch(first.cursor)
    assert second.messages[0].ref.uid == first.messages[0].ref.uid
    assert second.messages[0].ref.uid_validity != first.messages[0].ref.uid_validity
    assert second.cursor == Cursor(second.messages[0].ref.uid_validity, 1)


# -- acknowledge ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", OLD_HOST], ids=["MOVE", "COPY and UID EXPUNGE"])
@pytest.mark.parametrize(("disposition", "suffix"), [(Disposition.PROCESSED, "done"), (Disposition.FAILED, "failed")])
def test_acknowledged_mail_is_moved_once(desk: Desk, host: str, disposition: Disposition, suffix: str) -> None:
    desk.append("dealt with", "still to do")
    desk.append("deleted by a person", flags=[rb"\Deleted"])
    source = ImapSource(desk.account(host=host))
    refs = [m.ref for m in messages(source.fetch(None))]
    for _ in range(2):
        source.acknowledge(refs[:1], disposition)
    source.close()
    assert desk.flags() == {2: set(), 3: {rb"\Deleted"}}
    assert desk.size_of(f"{desk.name}-{suffix}") == 1


def test_a_server_without_move_and_uidplus_gets_a_keyword(desk: Desk) -> None:
    desk.append("done", "undone")
    source = ImapSource(desk.account(host=BARE_HOST))
    done, undone = [m.ref for m in messages(source.fetch(None))]
    source.acknowledge([done], Disposition.PROCESSED)
    source.acknowledge([undone], Disposition.FAILED)
    source.close()
    assert desk.flags() == {1: {b"$Processed"}, 2: {b"$Failed"}}


def test_mail_of_another_uidvalidity_is_left_alone(desk: Desk, source: ImapSource) -> None:
    desk.append("one")
    (message,) = messages(source.fetch(None))
    source.acknowledge([replace(message.ref, uid_validity=message.ref.uid_validity + 1)], Disposition.PROCESSED)
    assert list(desk.flags()) == [1]


# -- comparing -----------------------------------------------------------------------------------------------------


def test_a_survey_tells_what_is_here_and_how_far_the_uids_go(desk: Desk, source: ImapSource) -> None:
    desk.append("one", "two", "three")
    desk.delete(1, 3)
    (message,) = messages(source.fetch(None))
    assert source.survey() == Survey(message.ref.uid_validity, (2,), 3)


def test_a_survey_of_an_empty_mailbox(source: ImapSource) -> None:
    found = source.survey()
    assert (found.uids, found.last_uid) == ((), 0)


def test_where_nothing_can_be_moved_our_keyword_takes_a_mail_out_of_the_survey(desk: Desk) -> None:
    """Else all mail that was ever dealt with would count as left behind."""
    desk.append("done", "undone", "to do")
    source = ImapSource(desk.account(host=BARE_HOST))
    done, undone, _ = [m.ref for m in messages(source.fetch(None))]
    source.acknowledge([done], Disposition.PROCESSED)
    source.acknowledge([undone], Disposition.FAILED)
    assert source.survey().uids == (3,)
    source.close()


def test_where_mail_can_be_moved_no_keyword_hides_it(desk: Desk, source: ImapSource) -> None:
    desk.append("marked by somebody else", flags=[b"$Processed"])
    assert source.survey().uids == (1,)


def test_only_the_asked_for_uids_are_fetched_and_no_cursor_moves(desk: Desk, source: ImapSource) -> None:
    desk.append("one", "two", "three", "four")
    desk.delete(3)
    batches = list(source.fetch_only([2, 3, 4]))
    assert subjects(iter(batches)) == ["two", "four"]
    assert [batch.cursor for batch in batches if batch.messages] == [None]
    assert desk.flags().keys() == {1, 2, 4}


def test_our_own_mail_is_found_where_the_server_says_that_sent_mail_lies(desk: Desk, source: ImapSource) -> None:
    """By its special use (RFC 6154): the folder is called neither Sent nor anything like it."""
    find_in(desk, source, "Outgoing")


def test_our_own_mail_is_found_in_the_folder_that_the_settings_name(desk: Desk) -> None:
    folder = f"{desk.name}-answers"
    source = ImapSource(desk.account(sent=folder))
    find_in(desk, source, folder)
    source.close()


def find_in(desk: Desk, source: ImapSource, folder: str) -> None:
    own, other = f"mf.1.token.{desk.name}@helpdesk.example", f"mf.2.token.{desk.name}@helpdesk.example"
    if not desk.program.folder_exists(folder):
        desk.program.create_folder(folder)
    desk.program.append(folder, f"Message-ID: <{own}>\r\n".encode() + mail("Re: NFR"))
    desk.append("in the mailbox")
    assert source.find_sent([own, other]) == {own}
    assert subjects(source.fetch(None)) == ["in the mailbox"], "the mailbox itself is selected again"


def test_where_there_is_no_folder_of_sent_mail_nothing_is_found(desk: Desk) -> None:
    source = ImapSource(desk.account(sent=f"{desk.name}-nowhere"))
    assert source.find_sent(["mf.1.token.x@helpdesk.example"]) == frozenset()
    source.close()


# -- wait ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def relay(mail_servers: MailServers) -> Iterator[Relay]:
    with Relay(mail_servers.imap_port) as relay:
        yield relay


@pytest.fixture
def relayed(desk: Desk, relay: Relay) -> Iterator[ImapSource]:
    source = ImapSource(desk.account(port=relay.port))
    list(source.fetch(None))
    yield source
    source.close()


def test_mail_that_came_before_the_wait_ends_it(desk: Desk, source: ImapSource) -> None:
    list(source.fetch(None))
    desk.append("early")
    assert source.wait(LONG)


def test_idle_hears_of_new_mail(desk: Desk, relay: Relay, relayed: ImapSource) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(relayed.wait, LONG)
        relay.await_saying(b"IDLE")
        desk.append("news")
        assert waiting.result(timeout=50)
    assert subjects(relayed.fetch(None)) == ["news"]


def test_a_wait_is_interrupted_from_another_thread(relay: Relay, relayed: ImapSource) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(relayed.wait, LONG)
        relay.await_saying(b"IDLE")
        relayed.interrupt()
        assert waiting.result(timeout=50) is False


def test_an_interrupt_before_the_wait_ends_that_one_only(desk: Desk, source: ImapSource) -> None:
    list(source.fetch(None))
    source.interrupt()
    assert source.wait(timedelta(days=1)) is False
    desk.append("news")
    assert source.wait(LONG) is True


def test_a_quiet_mailbox_times_out_and_the_connection_is_still_good(relay: Relay, relayed: ImapSource) -> None:
    assert relayed.wait(timedelta(seconds=1.5)) is False
    assert list(relayed.fetch(None)) == []
    assert relay.connections == 1


def test_a_server_without_idle_is_asked_again(desk: Desk) -> None:
    with Relay(desk.servers.imap_port, OLD_HOST) as relay:
        source = ImapSource(desk.account(port=relay.port))
        list(source.fetch(None))
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(source.wait, timedelta(seconds=2))
            relay.await_saying(b"SELECT", times=3)
            desk.append("news")
            assert waiting.result(timeout=50) is True
        source.close()


def test_a_socket_that_dies_while_idle_is_noticed_and_replaced(desk: Desk, relay: Relay, relayed: ImapSource) -> None:
    """imapclient issue 565: `idle_check` gives [] for ever."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(relayed.wait, timedelta(days=1))
        relay.await_saying(b"IDLE")
        relay.cut()
        with pytest.raises(ConnectionFailed):
            waiting.result(timeout=50)
    desk.append("after the break")
    assert subjects(relayed.fetch(None)) == ["after the break"]
    assert relay.connections == 2


def test_a_connection_that_died_between_calls_is_replaced_by_the_next_but_one(
    relay: Relay, relayed: ImapSource
) -> None:
    relay.cut()
    with pytest.raises(ConnectionFailed):
        list(relayed.fetch(None))
    assert list(relayed.fetch(None)) == []


def imap_script(line: bytes) -> bytes | None:
    """An empty mailbox that says EXISTS in one packet with `+ idling` (allowed by RFC 2177)."""
    tag, _, command = line.partition(b" ")
    untagged = {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 IDLE\r\n",
        b"SELECT": b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 1] next\r\n",
        b"UID": b"* SEARCH\r\n",
    }
    match command.split(b" ")[0].upper():
        case b"IDLE":
            imap_script.tag = tag  # type: ignore[attr-defined]  # the DONE that ends it has no tag
            return b"+ idling\r\n* 1 EXISTS\r\n"
        case b"":
            return imap_script.tag + b" OK idle done\r\n"  # type: ignore[attr-defined, no-any-return]  # as above
        case name:
            return untagged.get(name, b"") + tag + b" OK done\r\n"


def test_mail_announced_in_one_packet_with_the_idle_reply_is_not_missed() -> None:
    with ScriptedServer(b"* OK ready\r\n", imap_script) as server:
        source = ImapSource(ImapAccount("127.0.0.1", server.port, "none", "support", "secret"))
        assert list(source.fetch(None)) == []
        assert source.wait(LONG) is True
        source.close()


# -- connecting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_tls_is_verified_against_the_given_authority(desk: Desk, security: str) -> None:
    port = desk.servers.imaps_port if security == "tls" else desk.servers.imap_port
    good = desk.account(security=security, port=port, ca_file=desk.servers.ca_file)
    desk.append("sealed")
    source = ImapSource(good)
    assert subjects(source.fetch(None)) == ["sealed"]
    source.close()
    for bad in (replace(good, ca_file=None), replace(good, host=OLD_HOST)):
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            list(ImapSource(bad).fetch(None))


def test_a_wrong_password_is_refused_and_shown_nowhere(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="imapclient")  # whatever another test has made of it
    account = desk.account(password="not-the-password")
    with pytest.raises(LoginRefused) as caught:
        list(ImapSource(account).fetch(None))
    assert caught.value.temporary
    assert "Authentication failed" in caplog.text
    assert account.password not in "".join(traceback.format_exception(caught.value))
    assert account.password not in caplog.text


def test_a_password_that_the_server_repeats_is_blotted_out() -> None:
    def repeat(line: bytes) -> bytes:
        tag, _, command = line.partition(b" ")
        if command.startswith(b"CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n"
        return tag + b" NO I do not like " + command + b"\r\n"

    with ScriptedServer(b"* OK ready\r\n", repeat) as server:
        source = ImapSource(ImapAccount("127.0.0.1", server.port, "none", "support", "tell-nobody"))
        with pytest.raises(LoginRefused) as caught:
            list(source.fetch(None))
    assert "I do not like LOGIN support" in str(caught.value)
    assert "tell-nobody" not in "".join(traceback.format_exception(caught.value))


def test_nobody_listening_is_a_failed_connection(desk: Desk) -> None:
    with Relay(desk.servers.imap_port) as closed:
        pass
    with pytest.raises(ConnectionFailed):
        list(ImapSource(desk.account(port=closed.port)).fetch(None))


def test_a_mailbox_that_does_not_exist_is_named(desk: Desk) -> None:
    with pytest.raises(ConnectionFailed, match="Nowhere"):
        list(ImapSource(desk.account(mailbox="Nowhere")).fetch(None))


def test_closing_twice_is_harmless_and_the_next_call_connects_anew(desk: Desk, source: ImapSource) -> None:
    list(source.fetch(None))
    source.close()
    source.close()
    desk.append("after")
    assert subjects(source.fetch(None)) == ["after"]


class Silent:
    """A server that lists messages and says NIL for what is in them."""

    def fetch(self, uids: Sequence[int], items: Sequence[str]) -> dict[int, dict[bytes, None]]:
        return {uid: {b"BODY[]": None} for uid in uids}


@pytest.mark.parametrize(("size", "found"), [(0, [b""]), (5000, [])])
def test_a_message_of_which_nothing_comes_is_no_empty_mail(size: int, found: list[bytes]) -> None:
    with ExitStack() as spools:
        contents = fetch_contents(Silent(), [Listed(1, size, None)], 1 << 20, spools)
        assert [content for _, content in contents] == found
