"""The plain floor: the least that any program does that answers mail with a standard library and spaCy.

    IMAP FETCH (imaplib) -> compat32 parse, usual headers, text and files decoded -> spaCy tokenises
    -> a linear classifier -> one INSERT -> a canned answer made with EmailMessage and handed over (smtplib)

Nothing is guarded, explained, threaded or repeatable: no answer twice, no crash, no loop is thought of. Its database
promises as much as ours on a power cut (WAL, synchronous=FULL), its connections are encrypted as ours are.
"""

import imaplib
import sqlite3
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import formatdate, make_msgid, parseaddr
from pathlib import Path
from smtplib import SMTP
from typing import Any

import spacy
from benchmarks.loopback import DESK, PARTNER, Meter
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from spacy.language import Language
from tests.servers import MailServers

from mailflow import bootstrap
from mailflow.adapters.examples import read_examples
from mailflow.settings import Settings

_NAMES = ("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References")
_LEARNED = 2000
_MAILS_A_CONNECTION = 500
"""Servers hang up after some: Exim after 1,000."""
_ANSWER = "Hello,\n\nthank you for your mail. You find the way at https://partners.example/help.\n\nPartner Support\n"


@dataclass(frozen=True, slots=True)
class Plain:
    """What a plain parse has of a mail."""

    headers: dict[str, str]
    text: str


def plain_parse(content: bytes) -> Plain:
    """compat32, the usual headers, every leaf decoded."""
    message = message_from_bytes(content)
    headers = {name: str(make_header(decode_header(message[name] or ""))) for name in _NAMES}
    texts = [_decoded(part) for part in message.walk() if not part.is_multipart()]
    return Plain(headers, "\n".join(filter(None, texts)))


def _decoded(part: "Message[str, str]") -> str:
    payload = part.get_payload(decode=True)
    if part.get_content_maintype() != "text" or not isinstance(payload, bytes):
        return ""
    try:
        return payload.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        return payload.decode("latin-1")


@dataclass(slots=True)
class LinearClassifier:
    """Words of spaCy's tokenizer, their TF-IDF, one linear layer."""

    nlp: Language = field(default_factory=lambda: spacy.blank("xx"))
    vectorizer: Any = field(default_factory=lambda: TfidfVectorizer(analyzer=list, min_df=2))
    layer: Any = field(default_factory=lambda: LogisticRegression(max_iter=200))

    @classmethod
    def learned(cls) -> "LinearClassifier":
        examples = read_examples(bootstrap.find_assets(Settings()).classifiers / "examples").examples
        chosen = examples[:: max(1, len(examples) // _LEARNED)]
        made = cls()
        rows = made.vectorizer.fit_transform(made.tokenised([f"{one.subject}\n{one.text}" for one in chosen]))
        made.layer.fit(rows, [one.primary for one in chosen])
        return made

    def tokenised(self, texts: Sequence[str]) -> list[list[str]]:
        return [[token.lower_ for token in self.nlp.make_doc(text)] for text in texts]

    def labels(self, tokens: Sequence[Sequence[str]]) -> list[str]:
        labels: list[str] = self.layer.predict(self.vectorizer.transform(tokens)).tolist()
        return labels


class Floor:
    def __init__(self, servers: MailServers, database: Path, mailbox: str, classifier: LinearClassifier) -> None:
        """Connects and makes its table."""
        self._servers, self._context = servers, ssl.create_default_context(cafile=servers.ca_file)
        self._imap = imaplib.IMAP4_SSL(servers.host, servers.imaps_port, ssl_context=self._context)
        self._imap.login(DESK, servers.users[DESK])
        self._imap.select(mailbox)
        self._smtp = self._connected()
        self._database = sqlite3.connect(database)
        self._database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE mail (id INTEGER PRIMARY KEY,"
            " message_id TEXT, sender TEXT, subject TEXT, label TEXT, text TEXT, content BLOB)"
        )
        self._classifier = classifier
        self._last_uid = 0
        self.taken = self.sent = 0

    def turn(self, batch: int, meter: Meter, *, share: float = 1.0) -> int:
        """Deal with up to `batch` new mails; `share` of them is answered. Returns how many mails there were."""
        with meter.measuring("fetch"):
            contents = list(self._fetched(batch))
        if not contents:
            return 0
        with meter.measuring("parse"):
            mails = [plain_parse(one) for one in contents]
        with meter.measuring("tokenise"):
            tokens = self._classifier.tokenised([f"{one.headers['Subject']}\n{one.text}" for one in mails])
        with meter.measuring("classify"):
            labels = self._classifier.labels(tokens)
        with meter.measuring("store"), self._database:
            self._database.executemany(
                "INSERT INTO mail (message_id, sender, subject, label, text, content) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (*(one.headers[name] for name in ("Message-ID", "From", "Subject")), label, one.text, content)
                    for one, label, content in zip(mails, labels, contents, strict=True)
                ],
            )
        for one in mails:
            self.taken += 1
            if self.taken * share >= self.sent + 1:
                with meter.measuring("SMTP"):
                    if self.sent and self.sent % _MAILS_A_CONNECTION == 0:
                        self._smtp.quit()
                        self._smtp = self._connected()
                    self._smtp.sendmail(DESK, [PARTNER], self._answer(one).as_bytes(policy=policy.SMTP))
                self.sent += 1
        return len(mails)

    def _connected(self) -> SMTP:
        smtp = SMTP(self._servers.host, self._servers.submission_port)
        smtp.starttls(context=self._context)
        smtp.login(DESK, self._servers.users[DESK])
        return smtp

    def _fetched(self, batch: int) -> Iterator[bytes]:
        self._imap.noop()
        _, found = self._imap.uid("SEARCH", f"UID {self._last_uid + 1}:*")
        uids = [uid for uid in map(int, found[0].split()) if uid > self._last_uid][:batch]
        if not uids:
            return
        self._last_uid = uids[-1]
        _, answered = self._imap.uid("FETCH", ",".join(map(str, uids)), "(BODY.PEEK[])")
        yield from (one[1] for one in answered if isinstance(one, tuple))

    def _answer(self, mail: Plain) -> EmailMessage:
        answer = EmailMessage()
        answer["From"], answer["To"] = DESK, parseaddr(mail.headers["From"])[1] or PARTNER
        answer["Subject"] = "Re: " + " ".join(mail.headers["Subject"].split())
        answer["Date"], answer["Message-ID"] = formatdate(), make_msgid(domain="helpdesk.example")
        answer["In-Reply-To"] = answer["References"] = " ".join(mail.headers["Message-ID"].split())
        answer.set_content(_ANSWER)
        return answer

    def close(self) -> None:
        self._imap.logout()
        self._smtp.quit()
        self._database.close()
