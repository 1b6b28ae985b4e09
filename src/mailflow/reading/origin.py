"""Who made a mail: a person, an automaton that answers, one that tells, a list, a mail server, or we ourselves.

Order (the first that applies wins): own, bounce, auto_replied, auto_generated, list, human.
Rule: only what is human may be answered by itself (D5; RFC 3834, 2). The evidence is the field or rule that matched.
Rule: `Auto-Submitted: no` is a person; it also silences the weak signs (words of the subject and the text, the name of
the address), which people produce by accident.
Why: RFC 3834, 5 defines the word for exactly this, and desks that read it as a sign of automation lose such mail.
Rule: every sign of the header is a row of a table.
Why `Precedence: bulk` and the loop fields of ticket systems make a list, no automaton: people write through lists and
ticket systems, too, so such mail is not answered by itself, but nothing throws it away.
Why X-Auto-Response-Suppress counts only with All or AutoReply: Outlook writes `OOF` or `DR, RN, NRN` for people, too.
Why the desk's own list is no list: a shared mailbox is often a group, and then all of its mail carries List-Id.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailflow.core.message import InboundMessage, Origin, OriginKind
from mailflow.reading import bounce
from mailflow.reading.bounce import any_of
from mailflow.reading.sender import Desk

LOOP_HEADER = "X-Mailflow-Loop"
"""Every mail that this desk sends carries it."""
_LONGEST_EVIDENCE = 200
_LONGEST_SUBJECT = 998
_HEAD_OCTETS = 256 * 1024
_FEW_WORDS = 700
"""Characters of a text that is short enough to be nothing but an automatic answer."""

_Found = tuple[OriginKind, str]


def detect(message: InboundMessage, content: bytes, desk: Desk) -> Origin:
    """The origin of `message`. `content` is the raw mail; it is parsed again only if the header suggests a bounce."""
    own = _own(message, desk)
    if own:
        return _origin(OriginKind.OWN, own)
    failure = bounce.read(message, content)
    if failure:
        return _origin(OriginKind.BOUNCE, failure.evidence, failure)
    found = sorted(_signs(message, content, desk), key=lambda sign: _RANK[sign[0]])
    return _origin(*found[0]) if found else _origin(OriginKind.HUMAN, "no sign of an automaton")


_RANK = {OriginKind.AUTO_REPLIED: 0, OriginKind.AUTO_GENERATED: 1, OriginKind.LIST: 2}


def _origin(kind: OriginKind, evidence: str, failure: bounce.Bounce | None = None) -> Origin:
    shown = " ".join(evidence.split())[:_LONGEST_EVIDENCE]
    if failure is None:
        return Origin(kind, shown)
    return Origin(kind, shown, failure.failed, failure.returned_message_ids)


def _signs(message: InboundMessage, content: bytes, desk: Desk) -> Iterator[_Found]:
    on_list = tuple(_list_signs(message, desk))
    yield from on_list
    yield from _header_signs(message, is_list=bool(on_list))
    yield from _report_signs(message, content)
    yield from _campaign_signs(message)
    if auto_submitted(message) != "no":
        yield from _weak_signs(message)


# Our own mail

_OWN_ID = re.compile(r"mf\.\d{1,19}\.[a-z2-7]{16}\.[^@\s]+@(\S+)")


def _own(message: InboundMessage, desk: Desk) -> str:
    """The evidence that we sent it, '' if we did not."""
    if message.header_values(LOOP_HEADER):
        return f"{LOOP_HEADER}: {message.header(LOOP_HEADER)}"
    if message.from_ and message.from_.addr_spec.lower() in desk.addresses:
        return f"From: {message.from_.addr_spec}"
    submitter = message.header("Sender").lower()
    if not message.header("List-Id") and any(_names(submitter, address) for address in desk.addresses):
        return f"Sender: {message.header('Sender')}"
    own_id = _OWN_ID.fullmatch(message.message_id)
    our_domains = desk.own_domains | {address.rpartition("@")[2] for address in desk.addresses}
    return f"Message-ID: <{message.message_id}>" if own_id and own_id[1].lower() in our_domains else ""


def _names(field: str, addr_spec: str) -> bool:
    return re.search(rf"(?<![^\s<,;]){re.escape(addr_spec)}(?![^\s>,;])", field) is not None


# Header fields, one row a family

_YES = re.compile(r"\s*(?!(?:no|false|none|off|0)?\s*$)\S", re.IGNORECASE)
"""Any value that does not say no."""


def _value(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HeaderSign:
    kind: OriginKind
    names: re.Pattern[str]
    """Matches the whole field name."""
    values: re.Pattern[str] = _YES
    is_also_of_lists: bool = False
    """Mailing list software writes it, too: it says nothing where the mail came through a list."""


_REPLIED, _GENERATED, _LIST = OriginKind.AUTO_REPLIED, OriginKind.AUTO_GENERATED, OriginKind.LIST

HEADER_SIGNS: tuple[HeaderSign, ...] = (
    HeaderSign(_REPLIED, _value("Auto-Submitted"), _value(r"auto[-_ ]?repl|vacation|autorespon")),
    HeaderSign(
        _GENERATED, _value("Auto-Submitted"), _value(r"(?!no(?![\w-])|\s*$|auto[-_ ]?repl|vacation|autorespon)")
    ),
    HeaderSign(
        _REPLIED,
        _value(
            r"X-(?:[\w-]+-)?(?:Auto-?(?:Reply|Replied|Respond(?:er)?|Response)|Vacation|HolidayReply|Out-?Of-?Office)"
            r"(?:-(?:From|Domain|By|Version|Id|Sent))?|Auto-?(?:Replied|Reply|Respond)"
        ),
    ),
    HeaderSign(_REPLIED, _value("X-Auto-?Generated"), _value("reply|vacation")),
    HeaderSign(
        _GENERATED,
        _value(r"(?:X-(?:[\w-]+-)?)?(?:Auto-?Generated|Machine-?Generated)|X-(?:[\w-]+-)?Auto-?Submitted"),
        _value(r"(?!reply|vacation)(?!(?:no|false|none|off|0)?\s*$)\S"),
    ),
    HeaderSign(_REPLIED, _value("(?:X-)?Precedence"), _value(r"auto[-_ ]?(?:reply|replied|response)|vacation")),
    HeaderSign(_GENERATED, _value("(?:X-)?Precedence"), _value(r"junk\b")),
    HeaderSign(_REPLIED, _value("Delivered-To"), _value(r"<?auto-?(?:responder|reply)\b")),
    HeaderSign(_GENERATED, _value("X-Auto-Response-Suppress"), _value(r"(?:.*[\s,;])?(?:all|autoreply)\b")),
    HeaderSign(_GENERATED, _value("X-Amazon-Mail-Relay-Type"), _value("notification")),
    HeaderSign(_GENERATED, _value("X-Cron-Env")),
    HeaderSign(_GENERATED, _value(r"X-Loop(?:-[\w-]+)?"), is_also_of_lists=True),
    HeaderSign(_GENERATED, _value(r"X-(?:OTRS|Znuny|Zammad|FreeScout)-(?:Loop|Auto[\w-]*|Notification[\w-]*)")),
    HeaderSign(_GENERATED, _value("X-SFDC-EmailCategory"), _value(r".*(?:workflow|alert|notif|mass)")),
    HeaderSign(_GENERATED, _value(r"X-GitHub-Reason|X-GitLab-(?:Project|Pipeline-Id|NotificationReason)")),
    HeaderSign(_GENERATED, _value(r"X-JIRA-FingerPrint")),
    HeaderSign(_GENERATED, _value("Return-Path"), _value(r"\s*<\s*>")),
    HeaderSign(_LIST, _value("(?:X-)?Precedence"), _value(r"(?:list|bulk)\b")),
    HeaderSign(_LIST, _value(r"X-(?:RT|Roundup)-Loop(?:-Prevention)?|X-RT-Ticket")),
)


def auto_submitted(message: InboundMessage) -> str:
    """The keyword of Auto-Submitted (RFC 3834, 5), lower-cased, without comments and parameters; '' if it is absent."""
    bare = re.sub(r"\([^()]*\)", " ", message.header("Auto-Submitted"))
    return bare.partition(";")[0].strip().lower()


def _header_signs(message: InboundMessage, *, is_list: bool) -> Iterator[_Found]:
    for name, value in message.headers:
        plain = re.sub(r"^(?:\s*\([^()]*\))+\s*", "", value).strip()
        for sign in HEADER_SIGNS:
            if not sign.names.fullmatch(name) or not sign.values.match(plain):
                continue
            if not (is_list and sign.is_also_of_lists):
                yield sign.kind, f"{name}: {value}"


# Lists

_LIST_FIELDS = re.compile(
    r"List-(?:Id|Post|Unsubscribe|Subscribe|Help|Owner|Archive)|(?:X-)?Mailing-List|X-BeenThere|X-Mailman-Version|X-ML-Name",
    re.IGNORECASE,
)


def _list_signs(message: InboundMessage, desk: Desk) -> Iterator[_Found]:
    list_id = message.header("List-Id").lower()
    if any(f"<{address.replace('@', '.')}>" in list_id for address in desk.addresses):
        return
    for name, value in message.headers:
        if _LIST_FIELDS.fullmatch(name) and value.strip():
            yield OriginKind.LIST, f"{name}: {value}"


_CAMPAIGN_FIELDS = re.compile(
    r"Feedback-ID|X-(?:Campaign(?:-?Id)?|MC-User|Mailchimp[\w-]*|SG-EID|Mailgun-Sid|CSA-Complaints)", re.IGNORECASE
)


def _campaign_signs(message: InboundMessage) -> Iterator[_Found]:
    """Newsletters: a one-to-many service sent it (RFC 2369 and the service's own field)."""
    if message.header_values("List-Unsubscribe"):
        for name, value in message.headers:
            if _CAMPAIGN_FIELDS.fullmatch(name):
                yield OriginKind.AUTO_GENERATED, f"{name}: {value}"


# Reports and calendars

_CALENDAR_ANSWER = re.compile(
    rb"^content-type:\s*text/calendar(?:[^\n]|\n[ \t])*?method=\"?(reply|counter|declinecounter|cancel)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _report_signs(message: InboundMessage, content: bytes) -> Iterator[_Found]:
    kind = bounce.report_type(message)
    if kind:
        replied = kind == "disposition-notification"
        evidence = f"Content-Type: multipart/report; report-type={kind}"
        yield (OriginKind.AUTO_REPLIED if replied else OriginKind.AUTO_GENERATED), evidence
    answer = _CALENDAR_ANSWER.search(content[:_HEAD_OCTETS])
    if answer and not any(attachment.content_type == "message/rfc822" for attachment in message.attachments):
        yield OriginKind.AUTO_REPLIED, f"Content-Type: text/calendar; method={answer[1].decode('ascii').upper()}"


# Weak signs: what an automaton calls itself and what it writes

_NO_REPLY = re.compile(
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
    )
    + r"(?:[-_.+=\d].*)?",
    re.IGNORECASE,
)
_SYSTEM_LOCAL = re.compile(
    any_of(
        r"mail(?:er)?[-_.]?daemon",
        "postmaster|daemon|root|nobody|cron(?:tab)?|uucp",
        "www-data|apache|nginx|wordpress|jenkins|nagios|zabbix|robot|unattended",
        r"auto[-_.]?(?:reply|responder|response|confirm|mailer|notify)",
        r"bounces?(?:[-_.+=].*)?",
        r"(?:[\w.]+[-_.+])?(?:notifications?|notify|notifier|alerts?|newsletters?|digest|mailings?)(?:[-_+=].*)?",
    ),
    re.IGNORECASE,
)
_SYSTEM_DOMAIN = re.compile(r"(?:[\w-]+\.)*(?:docusign\.net|echosign\.com|adobesign\.com)", re.IGNORECASE)
"""Signing services: only their machines write from there."""

_AWAY = any_of(
    r"auto(?:matic|mated|matisch)?[ -]?(?:reply|response|responder|answer)",
    r"out[ -]of[ -](?:the )?office",
    r"away from (?:the |my )?office",
    r"on (?:annual|maternity|paternity|parental) leave",
    r"vacation (?:reply|notice|response)",
    r"automatische (?:antwort|rückantwort)|abwesen(?:d|heit)\w*|nicht im (?:büro|haus)",
    r"réponse automatique|(?:message )?(?:d['’] ?)?absence(?: du bureau)?|absente? du bureau",
    r"respuesta automática|fuera de (?:la )?oficina",
    r"resposta automática|fora do escritório|ausência (?:temporária|do escritório)",
    r"risposta automatica|fuori (?:ufficio|sede)",
    r"automatisch ?antwoord|afwezig(?:heid\w*)?|niet aanwezig",
    r"automatyczna odpowiedź|odpowiedź automatyczna|autoodpowiedź|poza biurem",
    r"automatiskt? (?:svar|meddelande)|autosvar|frånvaro\w*|fravær\w*|ikke (?:til stede|på kontoret)",
    r"automaattinen (?:vastaus|poissaolo\w*)|poissaolo\w*",
    r"automatická odpov[eě]ď|automatikus (?:válasz|üzenet)|házon kívül",
    r"otomatik (?:yanıt|cevap)|ofis dışında|răspuns automat|αυτόματη απάντηση",
    r"автоматический ответ|автоответ\w*|автоматична відповідь|автоматичен отговор",
    r"automatski odgovor|samodejni odgovor|automaatvastus|automātiskā atbilde|automatinis atsakymas",
    "自動(?:応答|返信|回覆|回复)|不在(?:通知|連絡|のお知らせ|にしております)|自动(?:回复|答复)|外出回覆",
    "자동 ?(?:회신|응답)|부재 ?중|תשובה אוטומטית|(?:ال)?رد (?:ال)?تلقائي",
    "trả lời tự động|balasan otomatis|ตอบกลับอัตโนมัติ",
)
_UNTIL = any_of(
    r"(?:until|till?|from|since|through|bis|vom|seit|ab|du|jusqu|hasta|desde|del|até|de|dal|fino|tot|van|do|od|to|til|fra)\b",
    r"(?:re|aw)\b",
    r"\d|t\.o\.m",
)
_AWAY_SUBJECT = re.compile(
    rf"\W*(?:auto: *)?{_AWAY} *(?:auto[ -]?reply|message|notice|notification|e-?mail)? *"
    rf"(?:$|[:：\-–—(\[!.,/|【]|{_UNTIL})"
    r"|\W*auto(?: ?reply| ?response|: *re)? *:",
    re.IGNORECASE,
)
"""Only at the beginning, and only if nothing but a date or the old subject follows: people ask about leave, too."""

_ASKED = r"(?:request|ticket|case|enquiry|inquiry|message|e-?mail)"
_NOTICE_SUBJECT = re.compile(
    r"\W*(?:\[[^\]]{1,60}\] *)*"
    + any_of(
        rf"(?:your )?(?:support )?{_ASKED} (?:\S+ )?(?:(?:has been|was|is) )?"
        r"(?:received|created|opened|registered|logged|acknowledged)(?: *[:\[(#\-–]| *$)",
        rf"we(?:['’]ve| have)? received your {_ASKED}",
        rf"(?:acknowledg\w+ of|confirmation of) (?:receipt|your {_ASKED})",
        rf"thank you for (?:contacting|your (?:submission|registration|{_ASKED}))",
        r"ihre (?:anfrage|nachricht|e-?mail) .{0,40}(?:eingegangen|erhalten)|eingangsbestätigung",
        r"accusé de réception|votre (?:demande|ticket|message) .{0,40}(?:reçue?|enregistrée?|créé)\b",
        r"hemos recibido (?:su|tu)|acuse de recibo|recebemos (?:a )?sua (?:solicitação|mensagem)",
        r"abbiamo ricevuto la (?:tua|sua)|ontvangstbevestiging|potwierdzenie (?:otrzymania|przyjęcia)",
        "受付(?:完了|のお知らせ)",
        r"(?:new )?(?:web ?|contact ?)?form (?:submission|response|entry|notification)\b",
        r"new (?:submission|response|entry) (?:from|for|in|to|on) .*(?:form|survey)\b",
        r"(?:return|read) receipt\b|lesebestätigung|accusé de lecture|confirmación de lectura",
        r"report domain:|(?:ana)?cron (?:<|job)|completed: .*docusign",
    ),
    re.IGNORECASE,
)

_AWAY_TEXT = re.compile(
    r"(?:"
    + any_of(
        r"(?:hi|hello|hallo|guten tag|bonjour|hola|dear \w+)",
        r"thank(?:s| you)(?: very much)? for your (?:e-?mail|message)",
        r"vielen dank für ihre (?:e-?mail|nachricht)",
        r"merci pour votre (?:e-?mail|message|courriel)",
        r"gracias por (?:su|tu) (?:correo|mensaje)",
    )
    + r"\W+){0,2}"
    + any_of(
        r"i(?:['’]m| am| will be) (?:currently |now )?(?:out of (?:the |my )?office|away from (?:the |my )office)\b",
        r"i(?:['’]m| am| will be) (?:currently |now )?on (?:annual |maternity |sick )?(?:leave|vacation|holidays?)\b",
        r"ich bin (?:derzeit |zurzeit |aktuell )?(?:nicht (?:im büro|im hause?|erreichbar)|im urlaub|abwesend)\b",
        r"je suis (?:actuellement )?(?:absente?|en congés?|en vacances)\b",
        r"(?:actualmente )?(?:estoy|estaré|me encuentro) (?:fuera de (?:la )?oficina|de vacaciones|ausente)\b",
    ),
    re.IGNORECASE,
)
_MACHINE_LINE = re.compile(
    r"[*_\W]*"
    + any_of(
        r"(?:please note:? )?this is an? (?:system[- ]|computer[- ])?(?:auto(?:mated|matic|matically)|generated)\b",
        r"this (?:e-?mail|message) (?:was|is|has been) (?:sent |generated |created )?automatically\b",
        r"dies(?:e (?:e-?mail|nachricht) (?:wurde|ist)| ist) (?:eine )?automatisch",
        r"ceci est un (?:message|e-?mail|courriel) (?:généré )?automatique",
        r"este es un (?:mensaje|correo) (?:generado )?autom|esta é uma mensagem autom",
        r"questo è un messaggio (?:generato )?autom|dit is een automatisch",
        r"ta wiadomość (?:została|jest) .{0,20}automatycznie|このメールは.{0,20}自動",
    ),
    re.IGNORECASE,
)
_ACKNOWLEDGED = re.compile(
    any_of(
        rf"your {_ASKED}\b.{{0,60}}\b(?:has been|was) (?:received|created|opened|logged|registered)",
        rf"we(?:['’]ve| have) received your {_ASKED}",
        r"ihre (?:anfrage|nachricht|e-?mail)\b.{0,60}\b(?:eingegangen|erhalten|erfasst)",
        r"votre (?:demande|message|ticket)\b.{0,60}\b(?:reçue?|enregistrée?)\b",
        r"hemos recibido (?:su|tu) ",
    ),
    re.IGNORECASE,
)
_TICKET_MARK = re.compile(
    r"(?:ticket|case|request|reference|vorgang|anfrage|demande|incident|caso|solicitud)s?[ -]*"
    r"(?:id|no\.?|number|nummer|nr\.?|numéro|n°|número|#|:)|\[[^\]]*#\s?\w+[^\]]*\]|above this line",
    re.IGNORECASE,
)
_FORWARD_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|i|enc|vs|pd|doorst)\s*:", re.IGNORECASE)
_FORWARD_TEXT = re.compile(
    r"^[ \t>]{0,9}[->][-> \t]{1,40}[^\n]{0,40}?(?:forward|original|weitergeleitet|transféré|reenviad)"
    r"|^[^\w\n]{0,9}(?:from|von|de)\s?:\s",
    re.IGNORECASE | re.MULTILINE,
)


def _weak_signs(message: InboundMessage) -> Iterator[_Found]:
    for rule in (_sender_sign, _subject_sign, _text_sign):
        found = rule(message)
        if found:
            yield found


def _sender_sign(message: InboundMessage) -> _Found | None:
    sender = message.from_
    if sender is None:
        return None
    local = sender.addr_spec.rpartition("@")[0] or sender.addr_spec
    if _NO_REPLY.fullmatch(local) or _SYSTEM_LOCAL.fullmatch(local) or _SYSTEM_DOMAIN.fullmatch(sender.domain):
        return OriginKind.AUTO_GENERATED, f"From: {sender.addr_spec}"
    return None


def _subject_sign(message: InboundMessage) -> _Found | None:
    subject = " ".join(message.subject[:_LONGEST_SUBJECT].split())
    if _AWAY_SUBJECT.match(subject) or _NOTICE_SUBJECT.match(subject):
        return OriginKind.AUTO_REPLIED, f"Subject: {subject}"
    return None


def _text_sign(message: InboundMessage) -> _Found | None:
    text = message.new_text
    if _FORWARD_SUBJECT.match(message.subject) or _FORWARD_TEXT.search(text):
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    machine = next((line for line in (*lines[:3], *lines[-4:]) if _MACHINE_LINE.match(line)), "")
    if machine:
        return OriginKind.AUTO_GENERATED, f"the text says: {machine}"
    if len(text) > _FEW_WORDS or "?" in text or "？" in text:
        return None
    flat = " ".join(lines)
    away = _AWAY_TEXT.match(flat)
    receipt = _ACKNOWLEDGED.search(flat[:400]) if _TICKET_MARK.search(f"{message.subject} {flat}") else None
    found = away or receipt
    return (OriginKind.AUTO_REPLIED, f"the text says: {found[0]}") if found else None
