"""Reports of delivery: the form of RFC 3464, and one in plain words as Exim writes it."""

from mailflow.reading import bounce
from mailflow.reading.parse import parse

DSN = """\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.vendor.example>
To: desk@vendor.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <dsn@mx.vendor.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system. Your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.vendor.example

{recipients}
--b
{returned}
--b--
"""
FAILED = """\
Original-Recipient: rfc822;ada@partner.example
Final-Recipient: rfc822;mbox7@partner.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 no such
    mailbox
"""
DELAYED = FAILED.replace("failed", "delayed").replace("5.1.1", "4.4.1")
RETURNED = "Content-Type: message/rfc822\n\nMessage-ID: <mf.7.abc.x@vendor.example>\nSubject: Re: hello\n\nhello"

_SIMPLE = """\
Return-Path: {path}
From: {author}
To: desk@vendor.example
Subject: {subject}
Message-ID: <1@mx.partner.example>
{more}
{text}
"""
EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@partner.example
    SMTP error from remote mail server after RCPT TO:<ada@partner.example>:
    550 5.1.1 User unknown

------ This is a copy of the message, including all the headers. ------

Message-ID: <mf.7.abc.x@vendor.example>
Subject: Re: hello
"""


def simple(
    text: str,
    *,
    path: str = "<>",
    author: str = "Mail Delivery System <Mailer-Daemon@mx.partner.example>",
    subject: str = "Mail delivery failed: returning message to sender",
    more: str = "",
) -> str:
    """A mail of one text; `more`: further header lines."""
    return _SIMPLE.format(text=text, path=path, author=author, subject=subject, more=more)


def read(mail: str) -> bounce.Bounce | None:
    content = mail.encode()
    return bounce.read(parse(content), content)


def found(mail: str) -> bounce.Bounce:
    result = read(mail)
    assert result is not None
    return result
