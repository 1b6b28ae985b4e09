"""Hostile robots: each is a pure state machine on bytes. It gets a mail of ours and writes mails to the desk.

A row of ROBOTS says what the robot does, what of it stops the loop, and how far it comes (`reach`): NEVER where nothing
that it writes is answered, ONCE where one mail is, a `Reach` where only the send budget stops it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import Header
from email.utils import format_datetime, formataddr

from tests.loops.away_notes import NOTES
from tests.loops.notices import ACKNOWLEDGEMENTS, CHALLENGES

from mailflow.core.loop_bound import ANYTHING, ONE_ADDRESS, ONE_DOMAIN, Reach
from mailflow.testing import DESK

NEVER, ONCE = 0, 1


@dataclass(frozen=True, slots=True)
class Received:
    """A mail of ours as a robot got it."""

    content: bytes
    at: datetime
    number: int
    """How many mails the robot wrote before."""
    domain: str
    """The robot's own."""
    hint: str = ""
    """A Message-ID of somebody else's thread that the robot came to know."""

    def field(self, name: str) -> str:
        return " ".join((message_from_bytes(self.content)[name] or "").split())

    @property
    def message_id(self) -> str:
        return self.field("Message-ID")

    @property
    def text(self) -> str:
        part = message_from_bytes(self.content)
        while part.is_multipart():
            payload = part.get_payload(0)
            assert not isinstance(payload, str)
            part = payload
        decoded = part.get_payload(decode=True)
        assert isinstance(decoded, bytes)
        return decoded.decode("utf-8")


@dataclass(frozen=True, slots=True)
class State:
    """All that a robot remembers."""

    written: int = 0
    kept: tuple[Received, ...] = ()


Write = Callable[[Received], bytes]


@dataclass(frozen=True, slots=True)
class Robot:
    name: str
    does: str
    stops: str
    """What stops the loop: a guard, or the part of the send budget."""
    reach: Reach | int
    write: Write
    keeps: int = 1
    """It writes when it has got so many mails, to all of them at once."""
    voices: int = 1
    """How many of its kind get each mail and write; they differ in their number."""
    begins: bool = True
    """Whether it may write before it has got anything from us."""

    @property
    def address(self) -> str:
        """Where it gets its first mail."""
        return f"sam@{self.domain}"

    @property
    def domain(self) -> str:
        return f"{self.name}.example"

    def owns(self, addr_spec: str) -> bool:
        domain = addr_spec.rpartition("@")[2]
        return domain == self.domain or domain.endswith((f"-of-{self.domain}", f".{self.domain}"))


def step(robot: Robot, state: State, mail: bytes, at: datetime, hint: str = "") -> tuple[State, tuple[bytes, ...]]:
    """What `robot` writes when it gets `mail`, and what it remembers then."""
    kept = (*state.kept, Received(mail, at, 0, robot.domain, hint))
    if len(kept) < robot.keeps:
        return replace(state, kept=kept), ()
    answered = [one for one in kept for _ in range(robot.voices)]
    written = tuple(
        robot.write(replace(one, number=number, at=at)) for number, one in enumerate(answered, state.written)
    )
    return State(state.written + len(written)), written


# ---- bytes --------------------------------------------------------------------------------------------------

_MATTERS = ("an NFR licence", "a new user in the portal", "the deal of our customer", "the certification of Kim")


def request(got: Received) -> str:
    """A text that only a person's request can be told from by asking a person; another one each time."""
    return f"How do we get {_MATTERS[got.number % len(_MATTERS)]}? It is for lab {got.number}."


def write(
    got: Received,
    text: str,
    *fields: str,
    author: str = "",
    name: str = "Sam",
    subject: str = "",
    to: str = DESK,
    message_id: str = "",
    content_type: str = "text/plain; charset=utf-8",
) -> bytes:
    """A mail with nothing of ours in it: a new Message-ID, no reference, a new subject, unless they are given."""
    head = (
        f"From: {formataddr((name, author or f'sam@{got.domain}'))}",
        f"To: {to}",
        f"Subject: {Header(subject or f'Case {got.number * 7919}', 'utf-8').encode()}",
        f"Date: {format_datetime(got.at.astimezone(UTC))}",
        f"Message-ID: <{message_id or f'r{got.number}@{got.domain}'}>",
        *fields,
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: 8bit",
    )
    return "\r\n".join((*head, "", *text.splitlines(), "")).encode()


def changed(got: Received, **fields: str) -> bytes:
    """Our own mail with other header fields; '' takes one out."""
    mail = message_from_bytes(got.content)
    for key, value in fields.items():
        name = key.replace("_", "-")
        del mail[name]
        if value:
            mail[name] = value
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Mailflow-Loop")
"""What says of our answer that a program wrote it."""
_NO_MARKS = {name.replace("-", "_"): "" for name in (*MARKS, "In-Reply-To", "References")}


# ---- what comes back to us ----------------------------------------------------------------------------------


def alias(got: Received) -> bytes:
    return b"Received: from relay.example by mx.gitlab.com; " + got.field("Date").encode() + b"\r\n" + got.content


def rewriting_alias(got: Received) -> bytes:
    return changed(got, **_NO_MARKS, From=f"Sam <sam@{got.domain}>", Subject=f"Fwd: case {got.number}")


def hiding_alias(got: Received) -> bytes:
    return changed(got, **_NO_MARKS, From=f"sam@{got.domain}", Message_ID=f"<a{got.number}@{got.domain}>")


def reflecting_list(got: Received) -> bytes:
    subject = f"[partners] {got.field('Subject')}"
    return changed(got, List_Id=f"Partners <partners.{got.domain}>", Subject=subject, Auto_Submitted="")


def rewriting_list(got: Received) -> bytes:
    address = f"partners@{got.domain}"
    return write(got, request(got), f"List-Id: <partners.{got.domain}>", author=address, name="Desk via Partners")


def bare_list(got: Received) -> bytes:
    address = f"partners@{got.domain}"
    return write(got, f"{got.text}\n-- \nPartners", author=address, name="Desk via Partners", to=address)


def echo(got: Received) -> bytes:
    return write(got, f"{got.text}\n{request(got)}")


# ---- what says what it is -----------------------------------------------------------------------------------


def vacation(got: Received) -> bytes:
    return write(got, request(got), "Auto-Submitted: auto-replied (vacation)", f"In-Reply-To: {got.message_id}")


_OLD_MARKS = (
    "Precedence: auto_reply",
    "X-Autoreply: yes",
    "X-Auto-Response-Suppress: All",
    "X-Autorespond: out",
    "X-Mailer: vacation 1.2",
    "Precedence: junk",
    "X-FreeScout-Auto-Reply: yes",
    "Return-Path: <>",
)


def old_vacation(got: Received) -> bytes:
    return write(got, request(got), _OLD_MARKS[got.number % len(_OLD_MARKS)])


_AWAY = [note for notes in NOTES.values() for note in notes]


def out_of_office(got: Received) -> bytes:
    return write(got, _AWAY[got.number % len(_AWAY)], subject="Re: your question")


_NO_REPLIES = ("noreply", "no-reply", "do_not_reply", "ne-pas-repondre", "nicht-antworten", "nao-responda")


def no_reply(got: Received) -> bytes:
    return write(got, request(got), author=f"{_NO_REPLIES[got.number % len(_NO_REPLIES)]}@{got.domain}")


def ticket_desk(got: Received) -> bytes:
    fields = "Auto-Submitted: auto-generated", f"X-OTRS-Loop: {got.domain}"
    return write(got, request(got), *fields, subject=f"[Ticket#{got.number}] New")


def bare_ticket_desk(got: Received) -> bytes:
    number = 41_000 + got.number
    text = ACKNOWLEDGEMENTS[got.number % len(ACKNOWLEDGEMENTS)].format(number)
    return write(got, text, subject=f"[#{number}] Your question")


def challenge(got: Received) -> bytes:
    text = CHALLENGES[got.number % len(CHALLENGES)].format(got.number)
    return write(got, text, subject=f"Please confirm {got.number}")


def receipt(got: Received) -> bytes:
    text = (
        f"Your message\n\n  To: Sam\n  Subject: {got.field('Subject')}\n\nwas read on 12 March 09:{got.number % 60:02}."
    )
    return write(got, text, subject=f"Read: {got.field('Subject')}")


def calendar(got: Received) -> bytes:
    text = "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1\nEND:VEVENT\nEND:VCALENDAR"
    return write(got, text, subject="Visit", content_type="text/calendar; charset=utf-8; method=REPLY")


# ---- what could not be delivered ----------------------------------------------------------------------------


def _part(content_type: str, *lines: str) -> str:
    return "\n".join((f"Content-Type: {content_type}", "", *lines))


def _multipart(*parts: str) -> str:
    return "\n".join(f"--b\n{part}" for part in parts) + "\n--b--"


def _status(got: Received) -> str:
    lines = f"Final-Recipient: rfc822; {got.field('To').strip('<>')}", "Action: failed", "Status: 5.1.1"
    return _part("message/delivery-status", "Reporting-MTA: dns; mx.example", "", *lines)


_SORRY = "This is the mail system. Your message could not be delivered to one or more recipients."


def report(got: Received) -> bytes:
    returned = _part("text/rfc822-headers", f"Message-ID: {got.message_id}")
    return write(
        got,
        _multipart(_part("text/plain", _SORRY), _status(got), returned),
        author=f"mailer-daemon@{got.domain}",
        subject="Undelivered Mail Returned to Sender",
        content_type='multipart/report; report-type=delivery-status; boundary="b"',
    )


def report_without_type(got: Received) -> bytes:
    return write(
        got,
        _multipart(_part("text/plain", _SORRY), _status(got)),
        author=f"gateway@{got.domain}",
        subject="Undelivered Mail Returned to Sender",
        content_type='multipart/mixed; boundary="b"',
    )


_DAEMONS = ("mailer-daemon", "postmaster", "MAILER-DAEMON", "mail-daemon")


def report_in_words(got: Received) -> bytes:
    text = f"{_SORRY}\n\n<{got.field('To').strip('<>')}>: 550 5.1.1 user unknown, {got.number}"
    return write(got, text, author=f"{_DAEMONS[got.number % len(_DAEMONS)]}@{got.domain}", subject="failure notice")


# ---- what nothing gives away --------------------------------------------------------------------------------


def in_the_thread(got: Received) -> bytes:
    return write(got, request(got), f"In-Reply-To: {got.message_id}", subject=f"Re: {got.field('Subject')}")


def replayer(got: Received) -> bytes:
    return write(got, request(got), message_id=f"the-only-one@{got.domain}")


def stranger(got: Received) -> bytes:
    return write(got, request(got))


def hijacker(got: Received) -> bytes:
    return write(got, request(got), f"References: {got.hint or got.message_id}", subject=f"Case {got.number} [MF-1]")


def renamer(got: Received) -> bytes:
    name = ("Sam", "Kim", "Support", "noreply", DESK.partition("@")[0])[got.number % 5]
    return write(got, request(got), name=f"{name} {got.number}")


def shouter(got: Received) -> bytes:
    local = "".join(one.upper() if got.number >> at & 1 else one for at, one in enumerate("sam"))
    return write(got, request(got), author=f"{local}@{got.domain.upper() if got.number % 2 else got.domain}.")


def chorus(got: Received) -> bytes:
    return write(got, request(got), author=f"{('sam', 'kim', 'pat')[got.number % 3]}@{got.domain}")


def many_names(got: Received) -> bytes:
    return write(got, request(got), author=f"sam{got.number}@{got.domain}")


def details(got: Received) -> bytes:
    return write(got, request(got), author=f"sam+{got.number}@{got.domain}")


def reply_elsewhere(got: Received) -> bytes:
    return write(got, request(got), f"Reply-To: case{got.number}@{got.domain}")


def many_domains(got: Received) -> bytes:
    return write(got, request(got), author=f"sam@n{got.number}-of-{got.domain}")


def subdomains(got: Received) -> bytes:
    return write(got, request(got), author=f"sam@n{got.number}.{got.domain}")


_ADDRESS, _DOMAIN, _DESK = "`send_budget`: address", "`send_budget`: domain", "`send_budget`: template, desk"

ROBOTS: tuple[Robot, ...] = (
    Robot("alias", "an alias that leads back to the desk", "`own_mail`", NEVER, alias),
    Robot(
        "rewriting-alias",
        "the same, but it writes itself into From, changes the subject and takes out every mark",
        "`own_mail` (our Message-ID)",
        NEVER,
        rewriting_alias,
    ),
    Robot("hiding-alias", "the same, with a new Message-ID too", "`not_addressed`", NEVER, hiding_alias),
    Robot("list", "a mailing list that reflects our answer to the desk", "`own_mail`", NEVER, reflecting_list),
    Robot("rewriting-list", "a list that writes as itself to the desk, with List-Id", "`list`", NEVER, rewriting_list),
    Robot("bare-list", "the same without List-Id, to its members", "`not_addressed`", NEVER, bare_list),
    Robot("vacation", "answers each mail, marked (RFC 3834)", "`auto_replied`", NEVER, vacation),
    Robot(
        "old-vacation",
        "answers each mail, marked as programs did before RFC 3834",
        "`auto_replied`, `auto_generated`",
        NEVER,
        old_vacation,
    ),
    Robot(
        "out-of-office",
        f"says in {len(NOTES)} languages that somebody is away, without a mark or a reference",
        "`auto_replied` (words)",
        NEVER,
        out_of_office,
    ),
    Robot("no-reply", "a no-reply address that answers everything", "`auto_generated` (address)", NEVER, no_reply),
    Robot(
        "ticket-desk",
        "a help desk that acknowledges each mail, marked",
        "`auto_generated`",
        NEVER,
        ticket_desk,
    ),
    Robot(
        "bare-ticket-desk",
        f"the same in {len(ACKNOWLEDGEMENTS)} wordings, without a mark, with a new ticket number and subject each time",
        "`auto_replied` (words)",
        NEVER,
        bare_ticket_desk,
    ),
    Robot(
        "challenge",
        "holds each mail until its sender proves to be a person",
        "`auto_replied` (words)",
        NEVER,
        challenge,
    ),
    Robot("receipts", "says that our answer was read, without a mark", "`auto_replied` (words)", NEVER, receipt),
    Robot("calendar", "answers as calendars do", "`auto_replied`", NEVER, calendar),
    Robot("report", "gives our answer back (RFC 3464)", "`bounce`", NEVER, report),
    Robot(
        "report-without-type",
        "the same without a report type, from an address like any other",
        "`bounce`",
        NEVER,
        report_without_type,
    ),
    Robot(
        "report-in-words",
        "the same as plain text, from the address of a mail server",
        "`bounce`",
        NEVER,
        report_in_words,
    ),
    Robot(
        "in-the-thread",
        "asks in our thread, without a mark",
        "`follow_up`, `held_thread`",
        NEVER,
        in_the_thread,
        begins=False,
    ),
    Robot("replayer", "asks something else each time under one Message-ID", "`reused_message_id`", ONCE, replayer),
    Robot(
        "stranger",
        "asks each time, without a mark or a reference, with a new Message-ID and subject",
        _ADDRESS,
        ONE_ADDRESS,
        stranger,
    ),
    Robot("hijacker", "the same, with references into other people's threads", _ADDRESS, ONE_ADDRESS, hijacker),
    Robot("renamer", "the same with another display name each time", _ADDRESS, ONE_ADDRESS, renamer),
    Robot("shouter", "the same, its address written in another case each time", _ADDRESS, ONE_ADDRESS, shouter),
    Robot("burst", "the same, but it collects and asks five times at once", _ADDRESS, ONE_ADDRESS, stranger, keeps=5),
    Robot("echo", "sends our text back as its own, with a question", _ADDRESS, ONE_ADDRESS, echo),
    Robot(
        "chorus",
        "three of them that each get all of the others' mail",
        f"{_ADDRESS}, each",
        Reach(addresses=3, domains=1),
        chorus,
        voices=3,
    ),
    Robot("many-names", "asks from a new address of its domain each time", _DOMAIN, ONE_DOMAIN, many_names),
    Robot("details", "asks from sam+1, sam+2, sam+3 and so on", _DOMAIN, ONE_DOMAIN, details),
    Robot(
        "reply-elsewhere", "wants each answer at another address of its domain", _DOMAIN, ONE_DOMAIN, reply_elsewhere
    ),
    Robot("many-domains", "asks from a new domain each time", _DESK, ANYTHING, many_domains),
    Robot("subdomains", "asks from a new subdomain each time", _DESK, ANYTHING, subdomains),
)
BY_NAME = {robot.name: robot for robot in ROBOTS}
SILENT = tuple(robot for robot in ROBOTS if robot.reach == NEVER)
"""Of which nothing is answered."""
