"""The embedded pair, through the same doors as the real servers."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from mailflow.adapters.embedded import EmbeddedMail, with_trace_fields
from mailflow.adapters.imap import ImapAccount, ImapSource
from mailflow.adapters.smtp import SmtpAccount, SmtpSubmission
from mailflow.core.message import Envelope, OutboundMessage, RawMessage
from mailflow.core.ports import Disposition, Source
from mailflow.errors import LoginRefused, PermanentRefusal, TemporaryRefusal

pytestmark = pytest.mark.e2e

SUPPORT = "support@helpdesk.example"
PARTNER = "partner@partner.example"
USERS = {SUPPORT: "opens-the-desk", PARTNER: "opens-the-partner"}


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedMail]:
    with EmbeddedMail(USERS, authenticated_domains=frozenset({"partner.example"})) as mail:
        yield mail


@pytest.fixture
def source(embedded: EmbeddedMail) -> Iterator[ImapSource]:
    """The support mailbox, emptied."""
    source = ImapSource(imap_account(embedded))
    for batch in source.fetch(None):
        source.acknowledge([message.ref for message in batch.messages], Disposition.PROCESSED)
    yield source
    source.close()


@pytest.fixture
def submission(embedded: EmbeddedMail) -> Iterator[SmtpSubmission]:
    submission = SmtpSubmission(
        SmtpAccount(embedded.host, embedded.smtp_port, "none", PARTNER, USERS[PARTNER], timeout=20)
    )
    yield submission
    submission.close()


def imap_account(embedded: EmbeddedMail, password: str = USERS[SUPPORT]) -> ImapAccount:
    return ImapAccount(embedded.host, embedded.imap_port, "none", SUPPORT, password, timeout=20)


def question(to: str = SUPPORT, *, reverse_path: str = PARTNER) -> OutboundMessage:
    content = b"From: Pat <partner@partner.example>\r\nTo: someone.else@partner.example\r\nSubject: hi\r\n\r\nbody\r\n"
    return OutboundMessage(Envelope(reverse_path, to), "q@partner.example", "hi", content)


def messages(source: Source) -> list[RawMessage]:
    return [message for batch in source.fetch(None) for message in batch.messages]


def test_the_envelope_decides_who_gets_a_mail_and_it_arrives_with_trace_fields(
    source: ImapSource, submission: SmtpSubmission
) -> None:
    message = question()
    assert submission.submit(message).reply_code == 250
    (received,) = messages(source)
    assert received.content == (
        b"Return-Path: <partner@partner.example>\r\n"
        b"Delivered-To: support@helpdesk.example\r\n"
        b"Authentication-Results: mx.gitlab.com; dmarc=pass header.from=partner.example\r\n" + message.content
    )


def test_idle_hears_of_new_mail(source: ImapSource, submission: SmtpSubmission) -> None:
    assert messages(source) == []
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(source.wait, timedelta(seconds=60))
        submission.submit(question())
        assert waiting.result(timeout=50) is True


def test_acknowledged_mail_leaves_the_inbox_and_repeating_is_harmless(
    source: ImapSource, submission: SmtpSubmission
) -> None:
    submission.submit(question())
    refs = [message.ref for message in messages(source)]
    for _ in range(2):
        source.acknowledge(refs, Disposition.FAILED)
    assert messages(source) == []


@pytest.mark.parametrize(
    ("recipient", "kind", "code"),
    [
        ("nobody@helpdesk.example", PermanentRefusal, 550),
        ("perm550@partner.example", PermanentRefusal, 550),
        ("temp451@partner.example", TemporaryRefusal, 451),
    ],
)
def test_refusals_can_be_had(
    submission: SmtpSubmission, recipient: str, kind: type[PermanentRefusal | TemporaryRefusal], code: int
) -> None:
    with pytest.raises(kind) as caught:
        submission.submit(question(recipient))
    assert caught.value.reply_code == code


def test_wrong_passwords_are_refused(embedded: EmbeddedMail) -> None:
    with pytest.raises(LoginRefused):
        messages(ImapSource(imap_account(embedded, "wrong")))
    submission = SmtpSubmission(SmtpAccount(embedded.host, embedded.smtp_port, "none", PARTNER, "wrong"))
    with pytest.raises(LoginRefused):
        submission.submit(question())
    submission.close()


def traced(content: bytes, reverse_path: str = "pat@partner.example") -> bytes:
    return with_trace_fields(
        content,
        reverse_path=reverse_path,
        recipient=SUPPORT,
        authserv_id="mx.gitlab.com",
        authenticated_domains=frozenset({"partner.example"}),
    )


@pytest.mark.parametrize(
    ("from_", "reverse_path", "expected"),
    [
        (b"pat@partner.example", "pat@partner.example", True),
        (b"Pat <pat@PARTNER.example>", "bounces@partner.example", True),
        (b"pat@partner.example", "pat@elsewhere.example", False),
        (b"pat@partner.example", "", False),
        (b"pat@elsewhere.example", "pat@elsewhere.example", False),
        (b"pat@sub.partner.example", "pat@sub.partner.example", False),
    ],
)
def test_only_aligned_mail_of_a_known_domain_is_vouched_for(from_: bytes, reverse_path: str, expected: bool) -> None:
    """RFC 7489, 3.1: the domain of From counts, and the envelope has to agree with it."""
    assert (b"dmarc=pass" in traced(b"From: " + from_ + b"\r\n\r\nbody\r\n", reverse_path)) is expected


def test_results_that_claim_to_be_ours_are_removed_and_others_stay() -> None:
    """RFC 8601, 5."""
    content = (
        b"Authentication-Results: mx.gitlab.com;\r\n\tdmarc=pass header.from=bank.example\r\n"
        b"From: pat@elsewhere.example\r\n"
        b"AUTHENTICATION-RESULTS:\r\n mx.gitlab.com; dmarc=pass\r\n"
        b"Authentication-Results: mx.elsewhere.example; dmarc=pass\r\n"
        b"\r\nAuthentication-Results: mx.gitlab.com; dmarc=pass\r\n"
    )
    assert traced(content, "pat@elsewhere.example").partition(b"helpdesk.example\r\n")[2] == (
        b"From: pat@elsewhere.example\r\n"
        b"Authentication-Results: mx.elsewhere.example; dmarc=pass\r\n"
        b"\r\nAuthentication-Results: mx.gitlab.com; dmarc=pass\r\n"
    )


def test_without_the_optional_packages_one_sentence_says_what_to_install() -> None:
    program = (
        "import sys\n"
        "sys.modules['pymap'] = None\n"
        "from mailflow.adapters.embedded import EmbeddedMail\n"
        "from mailflow.errors import AssetError\n"
        "try:\n"
        "    EmbeddedMail({}).__enter__()\n"
        "except AssetError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install mailflow[demo]" in done.stdout
