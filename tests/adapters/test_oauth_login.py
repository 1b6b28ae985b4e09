"""Logging in to mail servers with access tokens: Dovecot, which asks the authorization server, and scripted ones."""

import json
import logging
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.imap_desk import USER, Desk, subjects
from tests.oauth_server import TokenServer, error
from tests.servers import MailServers, Relay, ScriptedServer

from mailflow import bootstrap
from mailflow.adapters.imap import ImapAccount, ImapSource
from mailflow.adapters.oauth import Credentials, Endpoint, OAuthTokens
from mailflow.adapters.smtp import SmtpAccount, SmtpSubmission
from mailflow.core.message import Envelope, OutboundMessage
from mailflow.errors import ConnectionFailed, LoginRefused
from mailflow.settings import read_settings
from mailflow.testing import FrozenClock

PARTNER = "partner@partner.example"


@dataclass(slots=True)
class Hand:
    """A TokenProvider with these tokens up its sleeve."""

    tokens: list[str]
    refused: list[str] = field(default_factory=list)
    expires_at: datetime | None = None

    def token(self) -> str:
        return self.tokens[0]

    def refuse(self, token: str) -> None:
        self.refused.append(token)
        self.tokens.remove(token)


def tokens_for(server: TokenServer, user: str) -> OAuthTokens:
    credentials = Credentials(client_id="app", refresh_token=server.sign_in(user))
    return OAuthTokens(user, Endpoint(server.token_url), credentials, clock=FrozenClock())


# -- IMAP: Dovecot -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hidden", "mechanism"), [(b" AUTH=OAUTHBEARER", b"XOAUTH2"), (b" AUTH=XOAUTH2", b"OAUTHBEARER")]
)
def test_a_mailbox_is_read_with_a_token(desk: Desk, hidden: bytes, mechanism: bytes) -> None:
    desk.append("hello")
    with Relay(desk.servers.imap_port, hidden=hidden) as relay:
        account = desk.account(port=relay.port, password="", tokens=tokens_for(desk.servers.tokens, USER))
        source = ImapSource(account)
        assert subjects(source.fetch(None)) == ["hello"]
        source.close()
        relay.await_saying(b"AUTHENTICATE " + mechanism)


def test_of_two_mechanisms_the_standard_is_taken(desk: Desk) -> None:
    with Relay(desk.servers.imap_port) as relay:
        source = ImapSource(desk.account(port=relay.port, password="", tokens=tokens_for(desk.servers.tokens, USER)))
        assert list(source.fetch(None)) == []
        source.close()
        relay.await_saying(b"AUTHENTICATE OAUTHBEARER")


@pytest.mark.parametrize("hidden", [b" AUTH=OAUTHBEARER", b" AUTH=XOAUTH2"])
def test_a_token_that_was_taken_back_is_replaced_and_the_mailbox_read(desk: Desk, hidden: bytes) -> None:
    server = desk.servers.tokens
    tokens = tokens_for(server, USER)
    desk.append("hello")
    first = tokens.token()
    server.take_back(first)
    with Relay(desk.servers.imap_port, hidden=hidden) as relay:
        source = ImapSource(desk.account(port=relay.port, password="", tokens=tokens))
        assert subjects(source.fetch(None)) == ["hello"]
        source.close()
        assert relay.connections == 2
    assert tokens.token() != first
    assert source.tokens is tokens


@pytest.mark.parametrize("hidden", [b" AUTH=OAUTHBEARER", b" AUTH=XOAUTH2"])
def test_the_token_of_another_is_refused_twice_and_shown_nowhere(
    desk: Desk, caplog: pytest.LogCaptureFixture, hidden: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="imapclient")  # whatever another test has made of it
    server = desk.servers.tokens
    forms = len(server.forms)
    tokens = tokens_for(server, PARTNER)
    with Relay(desk.servers.imap_port, hidden=hidden) as relay:
        source = ImapSource(desk.account(port=relay.port, password="", tokens=tokens))
        with pytest.raises(LoginRefused, match=f"{USER}@127.0.0.1: .*(OAUTHBEARER|XOAUTH2)") as caught:
            list(source.fetch(None))
        assert relay.connections == 2
    assert len(server.forms) == forms + 2
    seen = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(source.__dict__)
    assert "AUTHENTICATE" in seen
    assert tokens.token() not in seen
    assert not [one for one in carried(tokens.token()) if one in seen]


def carried(token: str) -> list[str]:
    """What base64 makes of `token`, wherever it begins; without the ends, which depend on what is beside it."""
    return [b64encode(b"x" * start + token.encode()).decode()[4:-4] for start in range(3)]


def test_settings_lead_to_a_mailbox_that_is_read_with_tokens(desk: Desk, tmp_path: Path) -> None:
    """From mailflow.toml on; the server takes each refresh token once, so the file must have followed."""
    server = desk.servers.tokens
    file = tmp_path / "refresh"
    file.write_text(server.sign_in(USER), encoding="utf-8")
    (tmp_path / "mailflow.toml").write_text(
        f'[imap]\nhost = "127.0.0.1"\nport = {desk.servers.imap_port}\nsecurity = "none"\nmailbox = "{desk.name}"\n'
        f'username = "{USER}"\nauth = "oauth2"\noauth_client_id = "app"\noauth_token_url = "{server.token_url}"\n'
        f'oauth_refresh_token_file = "{file}"\n',
        encoding="utf-8",
    )
    desk.append("hello")
    settings = read_settings(tmp_path / "mailflow.toml")
    server.rotates = True
    try:
        for _ in range(2):
            source = bootstrap.build_source(settings)
            assert subjects(source.fetch(None)) == ["hello"]
            assert source.tokens is not None
            assert source.tokens.expires_at is not None
            source.close()
    finally:
        server.rotates = False


# -- IMAP: scripted ------------------------------------------------------------------------------------------------


def imap_script(mechanisms: bytes, refusal: bytes) -> Callable[[bytes], bytes]:
    """A server that refuses each token: first the reason, then, after the answer to it, `refusal`."""
    steps: list[bytes] = []

    def answer(line: bytes) -> bytes:
        tag, _, command = line.partition(b" ")
        if command.startswith(b"CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1 " + mechanisms + b"\r\n" + tag + b" OK done\r\n"
        if command.startswith(b"AUTHENTICATE"):
            steps[:] = [tag, b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"]
            return b"+ \r\n"
        return steps.pop() if len(steps) > 1 else steps.pop() + b" NO " + refusal + b"\r\n"

    return answer


@pytest.mark.parametrize(
    ("mechanism", "first", "second"),
    [
        (b"XOAUTH2", b"user=support\x01auth=Bearer t2\x01\x01", b""),
        (b"OAUTHBEARER", b"n,a=support,\x01auth=Bearer t2\x01\x01", b"\x01"),
    ],
)
def test_the_reason_of_a_refusal_is_answered_as_the_mechanism_wants(
    mechanism: bytes, first: bytes, second: bytes
) -> None:
    hand = Hand(["t1", "t2"])
    with ScriptedServer(b"* OK ready\r\n", imap_script(b"AUTH=" + mechanism, b"t2 is no good")) as server:
        source = ImapSource(ImapAccount("127.0.0.1", server.port, "none", "support", "", tokens=hand))
        with pytest.raises(LoginRefused, match=r"\*\*\* is no good"):
            list(source.fetch(None))
        assert [b64decode(line) for line in server.lines[-2:]] == [first, second]
        assert server.lines[-3].endswith(b" AUTHENTICATE " + mechanism + b"\r\n")
    assert hand.refused == ["t1"], "the second one stays: a third would be refused too"


def test_an_imap_server_without_our_mechanisms_gets_no_token() -> None:
    hand = Hand(["t1", "t2"])
    with ScriptedServer(b"* OK ready\r\n", imap_script(b"AUTH=PLAIN", b"no")) as server:
        source = ImapSource(ImapAccount("127.0.0.1", server.port, "none", "support", "", tokens=hand))
        with pytest.raises(ConnectionFailed, match="offers no login by OAuth2") as caught:
            list(source.fetch(None))
        assert not any(b"AUTHENTICATE" in line for line in server.lines)
    assert not isinstance(caught.value, LoginRefused)
    assert hand.refused == []


# -- SMTP ----------------------------------------------------------------------------------------------------------

MESSAGE = OutboundMessage(
    Envelope("support@helpdesk.example", PARTNER),
    "answer@helpdesk.example",
    "Re: hello",
    b"From: <support@helpdesk.example>\r\nSubject: Re: hello\r\n\r\nHi\r\n",
)
REASON = b64encode(json.dumps({"status": "401", "schemes": "bearer"}).encode())
AFTER_ERROR = {"XOAUTH2": b"", "OAUTHBEARER": b"AQ=="}
RESPONSES = {"XOAUTH2": "user={}\x01auth=Bearer {}\x01\x01", "OAUTHBEARER": "n,a={},\x01auth=Bearer {}\x01\x01"}


@dataclass(slots=True)
class SubmissionServer:
    """Takes mail after AUTH with a token of `valid`; refuses others as Google and Microsoft do."""

    offered: str
    valid: set[str]
    refusal: bytes = b"535 5.7.8 not accepted"
    mechanism: str = ""
    content: bool = False

    def __call__(self, line: bytes) -> bytes | None:
        verb, *words = line.decode().split(" ")
        if self.content:
            self.content = line != b"."
            return b"" if self.content else b"250 2.0.0 took it\r\n"
        if self.mechanism:
            told, self.mechanism = AFTER_ERROR[self.mechanism], ""
            return (self.refusal if line == told else b"501 5.5.2 what?") + b"\r\n"
        match verb:
            case "EHLO":
                return f"250-stub\r\n250 AUTH {self.offered}\r\n".encode()
            case "AUTH":
                said = b64decode(words[1]).decode()
                if any(said == RESPONSES[words[0]].format("support", token) for token in self.valid):
                    return b"235 2.7.0 yes\r\n"
                self.mechanism = words[0]
                return b"334 " + REASON + b"\r\n"
            case "DATA":
                self.content = True
                return b"354 go ahead\r\n"
            case "QUIT":
                return b"221 bye\r\n"
        return b"250 ok\r\n"


def submitted(script: Callable[[bytes], bytes | None], hand: Hand, **changes: Any) -> tuple[int, list[bytes]]:
    """Reply code of a submission, and the AUTH commands that it took."""
    with ScriptedServer(b"220 stub\r\n", script) as server:
        submission = SmtpSubmission(
            SmtpAccount("127.0.0.1", server.port, "none", "support", "", tokens=hand, timeout=20, **changes)
        )
        try:
            code = submission.submit(MESSAGE).reply_code
        finally:
            submission.close()
        return code, [line.split(b" ")[1] for line in server.lines if line.startswith(b"AUTH")]


@pytest.mark.parametrize(
    ("offered", "mechanism"),
    [("PLAIN LOGIN XOAUTH2", b"XOAUTH2"), ("PLAIN XOAUTH2 OAUTHBEARER", b"OAUTHBEARER"), ("xoauth2", b"XOAUTH2")],
)
def test_a_message_is_handed_in_with_a_token(offered: str, mechanism: bytes) -> None:
    assert submitted(SubmissionServer(offered, {"t1"}), Hand(["t1"])) == (250, [mechanism])


@pytest.mark.parametrize("offered", ["XOAUTH2", "OAUTHBEARER"])
def test_a_refused_token_is_replaced_once_and_the_message_handed_in(offered: str) -> None:
    hand = Hand(["t1", "t2"])
    assert submitted(SubmissionServer(offered, {"t2"}), hand) == (250, [offered.encode()] * 2)
    assert hand.refused == ["t1"]


@pytest.mark.parametrize("offered", ["XOAUTH2", "OAUTHBEARER"])
def test_a_second_refusal_is_final_and_shows_no_token(offered: str) -> None:
    hand = Hand(["token-1", "token-2", "token-3"])
    script = SubmissionServer(offered, set(), b"535 5.7.8 I do not like token-2")
    with pytest.raises(LoginRefused, match=rf"535 5.7.8 I do not like \*\*\* \({offered}\)") as caught:
        submitted(script, hand)
    assert hand.refused == ["token-1"]
    assert "token-" not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_cannot_look_now_keeps_the_token() -> None:
    hand = Hand(["t1", "t2"])
    with pytest.raises(ConnectionFailed, match="454") as caught:
        submitted(SubmissionServer("XOAUTH2", set(), b"454 4.7.0 not now"), hand)
    assert not isinstance(caught.value, LoginRefused)
    assert hand.refused == []


def test_a_submission_server_without_our_mechanisms_gets_no_token() -> None:
    hand = Hand(["t1", "t2"])
    with pytest.raises(ConnectionFailed, match="offers no login by OAuth2"):
        submitted(SubmissionServer("PLAIN LOGIN", {"t1"}), hand)
    assert hand.refused == []


def test_without_a_token_there_is_no_connection(mail_servers: MailServers) -> None:
    """What the token provider raises is what is told; the message was surely not sent."""
    tokens = tokens_for(mail_servers.tokens, USER)
    mail_servers.tokens.answers.append(error("invalid_grant"))
    with Relay(mail_servers.submission_port) as relay:
        submission = SmtpSubmission(SmtpAccount("127.0.0.1", relay.port, "none", USER, "", tokens=tokens))
        with pytest.raises(LoginRefused, match="invalid_grant"):
            submission.submit(MESSAGE)
        submission.close()
        assert relay.connections == 0
    assert submission.tokens is tokens
