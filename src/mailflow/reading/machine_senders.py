"""Addresses that only machines write from: no-reply in the languages that spell it out, system accounts, services.

Rule: the whole local part must match, at the boundaries of its words. Why: `noreen@` and `cronin@` are people.
"""

import re

from mailflow.core.message import InboundMessage
from mailflow.reading.wording import any_of, wording

NO_REPLY = re.compile(
    r"(?:.*[-_.+=])?"
    + any_of(
        r"no[-_.]?repl(?:y|ies)",
        r"(?:do|please)[-_.]?not?[-_.]?(?:reply|respond)",
        r"dont[-_.]?reply",
        r"not?[-_.]?respond(?:er|a)?",
        r"ne[-_.]?pas[-_.]?repondre",
        r"sans[-_.]?reponse",
        r"nicht[-_.]?antworten",
        r"keine[-_.]?antwort",
        r"no[-_.]?contestar",
        r"n[aã]o[-_.]?responda",
        r"non[-_.]?rispondere",
        r"niet[-_.]?(?:be)?antwoorden",
        r"geen[-_.]?antwoord",
        r"nie[-_.]?odpowiada[jc]",
        r"(?:ikke|ej|inte)[-_.]?svar[ae]?",
        r"svara?[-_.]?(?:ikke|inte|ej)",
        r"ala[-_.]?vastaa",
        r"neodpovidat|yanitlama(?:yin)?",
    )
    + r"(?:[-_.+=\d].*)?",
    re.IGNORECASE,
)
SYSTEM_LOCAL = wording(
    r"(?:mailer|mail|mta|smtp)[-_.]?daemon",
    "post[-_.]?master|daemon|root|nobody|cron(?:tab)?|uucp|mdaemon",
    "www-data|apache|nginx|wordpress|jenkins|nagios|icinga|zabbix|grafana|sentry|robot|unattended",
    r"jira|confluence|servicenow|bugzilla(?:[-_.]daemon)?",
    r"majordomo|listserv|listproc|mailman|sympa|owner-.*|.*-bounces",
    r"auto[-_.]?(?:reply|responder|response|confirm|mailer|notify)",
    r"bounces?(?:[-_.+=].*)?",
    r"(?:[\w.]+[-_.+])?(?:notifications?|notify|notifier|alerts?|newsletters?|digest|mailings?)(?:[-_+=].*)?",
)
_SIGNING_SERVICES = re.compile(r"(?:[\w-]+\.)*(?:docusign\.net|echosign\.com|adobesign\.com)", re.IGNORECASE)


def local_part(message: InboundMessage) -> str:
    """Of the sender; a sender without domain is one, '' where there is none."""
    sender = message.from_
    return (sender.addr_spec.rpartition("@")[0] or sender.addr_spec) if sender else ""


def is_machine(message: InboundMessage) -> bool:
    """Whether the sender's address names a machine; `From: <>` is one's (RFC 3834, 2), a mail without From is not."""
    if message.from_ is None:
        return any("<>" in value or not value.strip() for value in message.header_values("From"))
    local = local_part(message)
    return bool(
        NO_REPLY.fullmatch(local) or SYSTEM_LOCAL.fullmatch(local) or _SIGNING_SERVICES.fullmatch(message.from_.domain)
    )
