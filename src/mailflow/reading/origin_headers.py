"""Header fields that say who made a mail, one row a family: RFC 3834, 5230, 2369, and what clients and desks write.

Rule: a field that is there and says no (`no`, `false`, `0`) says nothing. Names and values compare without case.
Why X-Auto-Response-Suppress counts only with All or AutoReply: Outlook writes `OOF` or `DR, RN, NRN` for people, too.
Why X-MS-Exchange-Inbox-Rules-Loop does not count: a rule that redirects a person's mail writes it as well.
Why `Precedence: bulk`, an address in X-Loop and the fields of ticket systems make a list, no automaton: people write
through lists, forwards and ticket systems, too, so such mail is not answered by itself, but nothing throws it away.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailflow.core.message import InboundMessage, OriginKind

_SAYS_NO = r"(?:no|false|none|off|0)?\s*$"
_YES = re.compile(rf"\s*(?!{_SAYS_NO})\S", re.IGNORECASE)


def _value(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HeaderSign:
    kind: OriginKind
    names: re.Pattern[str]
    """Matches the whole field name."""
    values: re.Pattern[str] = _YES
    """Matches the beginning of the value, comments before it left out."""
    is_also_of_lists: bool = False
    """Mailing list software writes it, too: it says nothing more where the mail came through a list."""


_REPLIED, _GENERATED, _LIST = OriginKind.AUTO_REPLIED, OriginKind.AUTO_GENERATED, OriginKind.LIST
_ANSWERS = r"auto[-_ ]?repl|vacation|autorespon"
_DESKS = r"X-(?:OTRS|Znuny|Zammad|FreeScout)"

HEADER_SIGNS: tuple[HeaderSign, ...] = (
    # RFC 3834, 5 and RFC 5436, 2.7.1
    HeaderSign(_REPLIED, _value("Auto-Submitted"), _value(_ANSWERS)),
    HeaderSign(_GENERATED, _value("Auto-Submitted"), _value(rf"(?!no(?![\w-])|\s*$|{_ANSWERS})")),
    # answering programs
    HeaderSign(
        _REPLIED,
        _value(
            r"X-(?:[\w-]+-)?(?:Auto-?(?:Reply|Replied|Respond(?:er)?|Response)|Vacation|HolidayReply|Out-?Of-?Office)"
            r"(?:-(?:From|Domain|By|Version|Id|Sent))?|Auto-?(?:Replied|Reply|Respond)"
        ),
    ),
    HeaderSign(_REPLIED, _value("X-Auto-?Generated"), _value("reply|vacation")),
    HeaderSign(_REPLIED, _value("(?:X-)?Precedence"), _value(r"auto[-_ ]?(?:reply|replied|response)|vacation")),
    HeaderSign(_REPLIED, _value("Delivered-To"), _value(r"<?auto-?(?:responder|reply)\b")),
    HeaderSign(_REPLIED, _value("X-Mailer|User-Agent"), _value(r".*\b(?:vacation|auto-?(?:respond|repl))")),
    HeaderSign(_REPLIED, _value("Message-ID"), _value(r"<(?:dovecot|cmu)-sieve-\d")),
    HeaderSign(_REPLIED, _value("Content-Class"), _value(r"urn:content-classes:mdn\b")),
    HeaderSign(_REPLIED, _value(r"X-Bluebottle-Request|X-ChoiceMail-Registration-Request")),
    # programs that tell
    HeaderSign(
        _GENERATED,
        _value(
            r"(?:X-(?:[\w-]+-)?)?(?:Auto-?Generated|Machine-?Generated)|X-(?:[\w-]+-)?Auto-?Submitted"
            r"|X-ServiceNow-Generated"
        ),
        _value(rf"(?!reply|vacation)(?!{_SAYS_NO})\S"),
    ),
    HeaderSign(_GENERATED, _value("(?:X-)?Precedence"), _value(r"junk\b")),
    HeaderSign(_GENERATED, _value("X-Auto-Response-Suppress"), _value(r"(?:.*[\s,;])?(?:all|autoreply)\b")),
    HeaderSign(_GENERATED, _value("X-MS-Exchange-Generated-Message-Source")),
    HeaderSign(_GENERATED, _value("Content-Class"), _value(r"urn:content-classes:(?:dsn|reportmessage)\b")),
    HeaderSign(_GENERATED, _value("X-Amazon-Mail-Relay-Type"), _value("notification")),
    HeaderSign(_GENERATED, _value("X-Cron-Env|X-ARF")),
    HeaderSign(_GENERATED, _value(r"X-Loop(?:-[\w-]+)?"), _value(rf"(?!{_SAYS_NO})(?!\S*@)\S"), is_also_of_lists=True),
    HeaderSign(_GENERATED, _value(rf"{_DESKS}-(?:Loop|Auto[\w-]*|Notification[\w-]*)")),
    HeaderSign(_GENERATED, _value("X-SFDC-EmailCategory"), _value(r".*(?:workflow|alert|notif|mass)")),
    HeaderSign(_GENERATED, _value(r"X-GitHub-Reason|X-GitLab-(?:Project|Pipeline-Id|NotificationReason)")),
    HeaderSign(_GENERATED, _value(r"X-JIRA-FingerPrint|X-Jenkins-Job|X-Bugzilla-Reason|X-Redmine-Project")),
    HeaderSign(_GENERATED, _value(r"X-Facebook-Notify|X-LinkedIn-Class|X-Notification-(?:Type|Category|Id)")),
    HeaderSign(_GENERATED, _value("Return-Path|(?:X-)?Envelope-From"), _value(r"\s*<\s*>|<?mailer-daemon\b")),
    # people through lists, forwards and ticket systems
    HeaderSign(_LIST, _value("(?:X-)?Precedence"), _value(r"(?:list|bulk)\b"), is_also_of_lists=True),
    HeaderSign(_LIST, _value(r"X-Loop(?:-[\w-]+)?"), _value(r"\S*@"), is_also_of_lists=True),
    HeaderSign(_LIST, _value(r"X-(?:RT|Roundup)-Loop(?:-Prevention)?|X-RT-Ticket|X-Zendesk-From-Account-Id")),
)
_ANY_NAME = re.compile("|".join(f"(?:{sign.names.pattern})" for sign in HEADER_SIGNS), re.IGNORECASE)
_COMMENT = re.compile(r"^(?:\s*\([^()]*\))+\s*")


def header_signs(message: InboundMessage, *, is_list: bool) -> Iterator[tuple[OriginKind, str]]:
    """Every sign of the table in the header, with the field that shows it."""
    for name, value in message.headers:
        if not _ANY_NAME.fullmatch(name):
            continue
        plain = _COMMENT.sub("", value).strip()
        for sign in HEADER_SIGNS:
            if sign.names.fullmatch(name) and sign.values.match(plain) and not (is_list and sign.is_also_of_lists):
                yield sign.kind, f"{name}: {value}"


def auto_submitted(message: InboundMessage) -> str:
    """The keyword of Auto-Submitted (RFC 3834, 5), lower-cased, without comments and parameters; '' if it is absent."""
    bare = re.sub(r"\([^()]*\)", " ", message.header("Auto-Submitted"))
    return bare.partition(";")[0].strip().lower()


LIST_FIELDS = re.compile(
    r"List-(?:Id|Post|Unsubscribe|Subscribe|Help|Owner|Archive)|(?:X-)?Mailing-?List|X-BeenThere|X-Mailman-Version"
    r"|X-ML-(?:Name|Server)|X-MLServer|X-List(?:name|server|-Name)|X-Google-Group-Id|X-Sympa-To|List-Software",
    re.IGNORECASE,
)
CAMPAIGN_FIELDS = re.compile(
    r"Feedback-ID|X-(?:Campaign(?:-?Id)?|MC-User|Mailchimp[\w-]*|SG-EID|Mailgun-Sid|CSA-Complaints)", re.IGNORECASE
)
