"""Submission against Exim; against scripted servers only for endings that Exim never gives."""

import logging
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from imapclient import IMAPClient
from tests.servers import MailServers, Relay, ScriptedServer

from mailflow.adapters.smtp import SmtpAccount, SmtpSubmission
from mailflow.core.message import Envelope, OutboundMessage
from mailflow.core.ports import Acceptance
from mailflow.errors import (
    ConnectionFailed,
    LoginRefused,
    MailflowError,
    OutcomeUnknown,
    PermanentRefusal,
    SubmissionError,
    TemporaryRefusal,
)

SUPPORT = "support@helpdesk.example"
PARTNER = "partner@partner.example"
_numbers = count(1)


def answer(to: str = PARTNER, *, reverse_path: str = SUPPORT, header: str = "") -> OutboundMessage:
    message_id = f"answer-{next(_numbers)}@helpdesk.example"
    content = f"From: <{SUPPORT}>\r\nMessage-ID: <{message_id}>\r\n{header}Subject: Re: hello\r\n\r\nHi\r\n.dotted\r\n"
    return OutboundMessage(Envelope(reverse_path, to), message_id, "Re: hello", content.encode())


def account(servers: MailServers, **changes: Any) -> SmtpAccount:
    verified = SmtpAccount(
        host=servers.host,
        port=servers.submission_port,
        security="starttls",
        username=SUPPORT,
        password=servers.users[SUPPORT],
        ca_file=servers.ca_file,
        local_hostname="worker.helpdesk.example",
        timeout=30,
    )
    return replace(verified, **changes)


@pytest.fixture
def submission(mail_servers: MailServers) -> Iterator[SmtpSubmission]:
    submission = SmtpSubmission(account(mail_servers))
    yield submission
    submission.close()


def delivered(servers: MailServers, message: OutboundMessage, user: str = PARTNER) -> bytes:
    """The message as it lies in the INBOX of `user`, once it does; IDLE says when to look."""
    with IMAPClient(servers.host, servers.imap_port, ssl=False, timeout=30) as program:
        program.login(user, servers.users[user])
        program.select_folder("INBOX")
        for _ in range(20):
            program.noop()
            if found := program.search(["HEADER", "Message-ID", message.message_id]):
                content = program.fetch(found, ["BODY.PEEK[]"])[found[0]][b"BODY[]"]
                assert isinstance(content, bytes)
                return content
            program.idle()
            program.idle_check(timeout=1)
            program.idle_done()
    raise AssertionError(f"{message.message_id} was not delivered")


# -- Exim ----------------------------------------------------------------------------------------------------------


def test_a_message_goes_over_verified_starttls_with_a_login_and_arrives_unchanged(
    mail_servers: MailServers, submission: SmtpSubmission
) -> None:
    message = answer()
    acceptance = submission.submit(message)
    assert acceptance.reply_code == 250
    content = delivered(mail_servers, message)
    assert content.endswith(message.content.partition(b"\r\n\r\n")[2])
    assert f"Return-Path: <{SUPPORT}>".encode() in content
    assert b"with esmtpsa" in content
    assert b"worker.helpdesk.example" in content


def test_the_null_reverse_path_is_sent_as_such(mail_servers: MailServers, submission: SmtpSubmission) -> None:
    """RFC 5321, 4.5.5: what must not be answered has the path <>."""
    message = answer(reverse_path="")
    submission.submit(message)
    assert b"Return-Path: <>" in delivered(mail_servers, message)


@pytest.mark.parametrize(
    ("local_part", "kind", "code", "status"),
    [("perm550", PermanentRefusal, 550, "5.1.1"), ("temp451", TemporaryRefusal, 451, "4.2.0")],
)
def test_a_refused_recipient_is_named_by_code_and_the_next_message_goes_out(
    submission: SmtpSubmission, local_part: str, kind: type[SubmissionError], code: int, status: str
) -> None:
    with pytest.raises(kind) as caught:
        submission.submit(answer(f"{local_part}@partner.example"))
    assert (caught.value.reply_code, caught.value.enhanced_status) == (code, status)
    assert submission.submit(answer()).reply_code == 250


def test_a_blind_copy_goes_to_ourselves_in_the_same_transaction(mail_servers: MailServers) -> None:
    """If it comes in, the answer was accepted, whatever became of the reply."""
    with Relay(mail_servers.submission_port) as relay:
        submission = SmtpSubmission(account(mail_servers, port=relay.port, security="none", bcc=SUPPORT))
        message = answer()
        assert submission.submit(message).reply_code == 250
        submission.close()
        relay.await_saying(f"RCPT TO:<{PARTNER}>\r\nRCPT TO:<{SUPPORT}>\r\nDATA\r\n".encode())
    for user in (PARTNER, SUPPORT):
        assert b"Bcc" not in delivered(mail_servers, message, user)


@pytest.mark.parametrize("local_part", ["perm550", "temp451"])
def test_a_blind_copy_that_is_refused_stops_nothing(mail_servers: MailServers, local_part: str) -> None:
    submission = SmtpSubmission(account(mail_servers, bcc=f"{local_part}@partner.example"))
    message = answer()
    assert submission.submit(message).reply_code == 250
    submission.close()
    delivered(mail_servers, message)


def test_a_blind_copy_alone_is_never_sent(mail_servers: MailServers) -> None:
    """Where the recipient is refused nothing goes out."""
    with Relay(mail_servers.submission_port) as relay:
        submission = SmtpSubmission(account(mail_servers, port=relay.port, security="none", bcc=SUPPORT))
        with pytest.raises(PermanentRefusal):
            submission.submit(answer("perm550@partner.example"))
        submission.submit(answer())  # the connection is still good
        submission.close()
        relay.await_saying(b"QUIT")
        assert relay.said(b"DATA") == 1


def test_a_wrong_password_is_refused_and_shown_nowhere(
    mail_servers: MailServers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = account(mail_servers, password="not-the-password")
    submission = SmtpSubmission(wrong)
    with pytest.raises(LoginRefused) as caught:
        submission.submit(answer())
    submission.close()
    assert wrong.password not in "".join(traceback.format_exception(caught.value)) + caplog.text + repr(wrong)


def test_an_unknown_authority_is_a_failed_connection(mail_servers: MailServers) -> None:
    submission = SmtpSubmission(account(mail_servers, ca_file=None))
    with pytest.raises(ConnectionFailed, match="certificate verify failed"):
        submission.submit(answer())
    submission.close()


def test_nobody_listening_is_a_failed_connection(mail_servers: MailServers) -> None:
    with Relay(mail_servers.submission_port) as closed:
        pass
    submission = SmtpSubmission(account(mail_servers, port=closed.port))
    with pytest.raises(ConnectionFailed):
        submission.submit(answer())
    submission.close()


@pytest.mark.parametrize(
    ("limits", "connections"),
    [({}, 1), ({"max_messages": 1}, 3), ({"max_messages": 2}, 2), ({"idle_seconds": -1.0}, 3)],
)
def test_a_connection_is_used_again_within_its_limits(
    mail_servers: MailServers, limits: dict[str, Any], connections: int
) -> None:
    with Relay(mail_servers.submission_port) as relay:
        submission = SmtpSubmission(account(mail_servers, port=relay.port, **limits))
        for _ in range(3):
            submission.submit(answer())
        submission.close()
        assert relay.connections == connections


def test_a_connection_that_died_meanwhile_is_replaced_unseen(mail_servers: MailServers) -> None:
    with Relay(mail_servers.submission_port) as relay:
        submission = SmtpSubmission(account(mail_servers, port=relay.port))
        submission.submit(answer())
        relay.cut()
        assert submission.submit(answer()).reply_code == 250
        submission.close()
        assert relay.connections == 2


def test_after_close_the_next_message_connects_anew(submission: SmtpSubmission) -> None:
    submission.submit(answer())
    submission.close()
    submission.close()
    assert submission.submit(answer()).reply_code == 250


# -- scripted ------------------------------------------------------------------------------------------------------

HELLO = b"250-stub\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n"
GO_AHEAD = b"354 go ahead\r\n"


def smtp_script(**instead: bytes | None) -> Callable[[bytes], bytes | None]:
    """A server that takes everything, but answers some commands `instead`: None hangs up, b"" says nothing."""
    usual = {
        "EHLO": HELLO,
        "AUTH": b"235 2.7.0 yes\r\n",
        "DATA": GO_AHEAD,
        "QUIT": b"221 bye\r\n",
        "DOT": b"250 took it\r\n",
    }
    replies: dict[str, bytes | None] = {**usual, **instead}
    content_lines: list[bytes] = []

    def reply(line: bytes) -> bytes | None:
        if content_lines and line != b".":
            return b""
        verb = "DOT" if line == b"." else line.split(b" ")[0].decode().upper()
        content_lines[:] = [line] if verb == "DATA" and replies["DATA"] == GO_AHEAD else []
        return replies.get(verb, b"250 ok\r\n")

    return reply


def submit_to(script: Callable[[bytes], bytes | None], message: OutboundMessage, **changes: Any) -> Acceptance:
    with ScriptedServer(b"220 stub\r\n", script) as server:
        stub = SmtpAccount("127.0.0.1", server.port, "none", "support", "tell-nobody", timeout=20)
        submission = SmtpSubmission(replace(stub, **changes))
        try:
            return submission.submit(message)
        finally:
            submission.close()


@pytest.mark.parametrize(
    ("instead", "kind", "code"),
    [
        pytest.param({"DOT": None}, OutcomeUnknown, None, id="takes DATA and hangs up"),
        pytest.param({"DOT": b""}, OutcomeUnknown, None, id="takes DATA and says nothing"),
        pytest.param({"DOT": b"what?\r\n"}, OutcomeUnknown, None, id="takes DATA and babbles"),
        pytest.param({"DATA": b"250 ok\r\n"}, OutcomeUnknown, None, id="one reply too many, so DATA seems taken"),
        pytest.param({"DOT": b"451 4.3.0 disk full\r\n"}, TemporaryRefusal, 451, id="4yz after the dot"),
        pytest.param({"DOT": b"554 5.6.0 spam\r\n"}, PermanentRefusal, 554, id="5yz after the dot"),
        pytest.param({"DATA": b"451 4.3.0 not now\r\n"}, TemporaryRefusal, 451, id="4yz to DATA"),
        pytest.param({"DATA": b"554 5.5.1 never\r\n"}, PermanentRefusal, 554, id="5yz to DATA"),
        pytest.param({"MAIL": None}, TemporaryRefusal, None, id="hangs up at MAIL"),
        pytest.param({"RCPT": None}, TemporaryRefusal, None, id="hangs up at RCPT"),
        pytest.param({"RCPT": b"what?\r\n"}, TemporaryRefusal, None, id="babbles at RCPT"),
        pytest.param({"MAIL": b"421 4.3.2 closing\r\n"}, TemporaryRefusal, 421, id="421"),
        pytest.param({"MAIL": b"552 5.3.4 too big\r\n"}, PermanentRefusal, 552, id="552 to SIZE"),
    ],
)
def test_each_ending_has_its_meaning_by_the_phase_it_came_in(
    instead: dict[str, bytes | None], kind: type[SubmissionError], code: int | None
) -> None:
    with pytest.raises(SubmissionError) as caught:
        submit_to(smtp_script(**instead), answer(), data_timeout=1)
    assert type(caught.value) is kind
    assert caught.value.reply_code == code


@pytest.mark.parametrize(
    ("instead", "kind"),
    [
        pytest.param({"AUTH": b"454 4.7.0 cannot look now\r\n"}, ConnectionFailed, id="AUTH 4yz is temporary"),
        pytest.param({"AUTH": b"435 broken condition\r\n"}, ConnectionFailed, id="435 as Exim says it"),
        pytest.param({"AUTH": b"535 5.7.8 no\r\n"}, LoginRefused, id="AUTH 5yz"),
        pytest.param({"MAIL": b"530 5.7.0 login first\r\n"}, LoginRefused, id="530 is about the session"),
        pytest.param({"EHLO": b"250 nothing offered\r\n"}, ConnectionFailed, id="no AUTH offered"),
        pytest.param({"EHLO": None}, ConnectionFailed, id="hangs up at EHLO"),
        pytest.param({"EHLO": b"554 go away\r\n", "HELO": b"554 go away\r\n"}, ConnectionFailed, id="EHLO refused"),
    ],
)
def test_what_is_said_of_the_session_is_never_held_against_the_message(
    instead: dict[str, bytes | None], kind: type[MailflowError]
) -> None:
    with pytest.raises(MailflowError) as caught:
        submit_to(smtp_script(**instead), answer())
    assert type(caught.value) is kind
    assert caught.value.temporary


def test_one_wrong_password_is_one_attempt() -> None:
    with ScriptedServer(b"220 stub\r\n", smtp_script(AUTH=b"535 5.7.8 no\r\n")) as server:
        submission = SmtpSubmission(SmtpAccount("127.0.0.1", server.port, "none", "support", "tell-nobody"))
        with pytest.raises(LoginRefused):
            submission.submit(answer())
        submission.close()
        assert [line for line in server.lines if line.startswith(b"AUTH")] == [
            b"AUTH PLAIN AHN1cHBvcnQAdGVsbC1ub2JvZHk=\r\n"
        ]


def test_starttls_that_is_not_offered_is_never_done_without() -> None:
    with pytest.raises(ConnectionFailed, match="STARTTLS"):
        submit_to(smtp_script(), answer(), security="starttls")


def mail_line(message: OutboundMessage, extensions: bytes) -> bytes:
    """The MAIL command for `message` where the server offers `extensions`."""
    with ScriptedServer(b"220 stub\r\n", smtp_script(EHLO=b"250-stub\r\n" + extensions)) as server:
        submission = SmtpSubmission(SmtpAccount("127.0.0.1", server.port, "none", "", ""))
        submission.submit(message)
        submission.close()
        return next(line for line in server.lines if line.startswith(b"MAIL")).rstrip()


def test_parameters_are_sent_where_needed_and_offered() -> None:
    """RFC 6531, RFC 6152, RFC 1870."""
    everything = b"250-SMTPUTF8\r\n250-8BITMIME\r\n250 SIZE\r\n"
    plain, accented = answer(), answer(header="Comments: caf\u00e9\r\n")
    size = b" SIZE=%d" % len(plain.content)
    assert mail_line(plain, everything) == b"MAIL FROM:<support@helpdesk.example>" + size
    assert b" SMTPUTF8 BODY=8BITMIME SIZE=" in mail_line(accented, everything)
    assert mail_line(accented, b"250 HELP\r\n") == b"MAIL FROM:<support@helpdesk.example>"
    assert mail_line(answer(reverse_path=""), b"250 HELP\r\n") == b"MAIL FROM:<>"
    assert "MAIL FROM:<zo\u00eb@helpdesk.example>".encode() in mail_line(
        answer(reverse_path="zo\u00eb@helpdesk.example"), everything
    )


@pytest.mark.parametrize(
    "address",
    [
        "zo\u00eb@partner.example",
        "a\r\nRCPT TO:<b@c.example>@partner.example",
        "pat@partner.example, sam@partner.example",
        "Pat <pat@partner.example>",
        "pat smith@partner.example",
    ],
)
def test_an_address_that_cannot_be_said_is_refused_for_good(address: str) -> None:
    with pytest.raises(PermanentRefusal):
        submit_to(smtp_script(), answer(address))
