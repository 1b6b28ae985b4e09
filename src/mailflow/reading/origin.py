"""Who made a mail: a person, an automaton that answers, an automaton that tells, a list, a mail server, or we ourselves.

Order (the first that applies wins): own, bounce, auto_replied, auto_generated, list, human.
Rule: only what is human may be answered by itself (D5; RFC 3834, 2). The evidence is the field that matched, or the rule.
Rule: `Auto-Submitted: no` is a person; it also silences the weak signs (words of the subject and the text, the name of the
address), which people produce by accident. Why: RFC 3834, 5 defines the word for exactly this, and other desks lose such mail.
Rule: every sign of the header is a row of a table.
Why `Precedence: bulk` and the loop fields of ticket systems make a list and no automaton: people write through lists and ticket
systems, too, so such mail is not answered by itself, but nothing throws it away.
Why X-Auto-Response-Suppress counts only with All or AutoReply: Outlook writes `OOF` or `DR, RN, NRN` for people as well.
Why the list of the desk itself is no list: a shared mailbox is often a group, and then all of its mail carries List-Id.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mailflow.core.message import Address, InboundMessage, Origin, OriginKind
from mailflow.reading import bounce
from mailflow.reading.sender import Desk

LOOP_HEADER = "X-Mailflow-Loop"
"""Every mail that this desk sends carries it."""
_LONGEST_EVIDENCE = 200
_HEAD_OCTETS = 256 * 1024
_FEW_WORDS = 700
"""Characters of a text that is short enough to be nothing but an automatic answer."""

_Found = tuple[OriginKind, str]


def detect(message: InboundMessage, content: bytes, desk: Desk) -> Origin:
    """The origin of `message`. `content` is the raw mail; it is parsed again only where the header suspects a bounce."""
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
    HeaderSign(_GENERATED, _value("Auto-Submitted"), _value(r"(?!no(?![\w-])|\s*$|auto[-_ ]?repl|vacation|autorespon)")),
    HeaderSign(
        _REPLIED,
        _value(
            r"X-(?:[\w-]+-)?(?:Auto-?(?:Reply|Replied|Respond(?:er)?|Response)(?!-?Suppress)|Vacation|HolidayReply|Out-?Of-?Office)"
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
    HeaderSign(_GENERATED, _value(r"X-(?:GitHub-Reason|GitLab-(?:Project|Pipeline-Id|NotificationReason)|JIRA-FingerPrint)")),
    HeaderSign(_GENERATED, _value("Return-Path"), _value(r"\s*<\s*>")),
    HeaderSign(_LIST, _value("(?:X-)?Precedence"), _value(r"(?:list|bulk)\b")),
    HeaderSign(_LIST, _value(r"X-(?:RT|Roundup)-Loop(?:-Prevention)?|X-RT-Ticket")),
)


def auto_submitted(message: InboundMessage) -> str:
    """The keyword of Auto-Submitted (RFC 3834, 5), lower-cased, without comments and parameters; '' if there is none."""
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


_CAMPAIGN_FIELDS = re.compile(r"Feedback-ID|X-(?:Campaign(?:-?Id)?|MC-User|Mailchimp[\w-]*|SG-EID|Mailgun-Sid|CSA-Complaints)", re.IGNORECASE)


def _campaign_signs(message: InboundMessage) -> Iterator[_Found]:
    """Newsletters: a one-to-many service sent it (RFC 2369 and the service's own field)."""
    if message.header_values("List-Unsubscribe"):
        for name, value in message.headers:
            if _CAMPAIGN_FIELDS.fullmatch(name):
                yield OriginKind.AUTO_GENERATED, f"{name}: {value}"


# Reports and calendars

_CALENDAR_ANSWER = re.compile(
    rb"^content-type:\s*text/calendar(?:[^\n]|\n[ \t])*?method=\"?(reply|counter|declinecounter|cancel)\b", re.IGNORECASE | re.MULTILINE
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
    r"(?:.*[-_.+=])?(?:no[-_.]?reply|no[-_.]?replies|(?:do|please)[-_.]?not?[-_.]?(?:reply|respond)|dont[-_.]?reply|not?[-_.]?respond"
    r"|ne[-_.]?pas[-_.]?repondre|sans[-_.]?reponse|nepasrepondre|(?:bitte[-_.]?)?nicht[-_.]?antworten|keine[-_.]?antwort"
    r"|no[-_.]?respond(?:er|a)|no[-_.]?contestar|n[aã]o[-_.]?respond(?:a|er)|non[-_.]?rispondere|niet[-_.]?(?:be)?antwoorden|geen[-_.]?antwoord"
    r"|nie[-_.]?odpowiada[jc]|(?:ikke|ej|inte)[-_.]?svar[ae]?|(?:svar|svara)[-_.]?(?:ikke|inte|ej)|ala[-_.]?vastaa)(?:[-_.+=\d].*)?",
    re.IGNORECASE,
)
_SYSTEM_LOCAL = re.compile(
    r"mailer[-_.]?daemon|postmaster|mail[-_.]?daemon|daemon|root|nobody|cron(?:tab)?|www-data|apache|nginx|wordpress|jenkins|nagios|zabbix|uucp"
    r"|auto[-_.]?(?:reply|responder|response|confirm|mailer|notify)|unattended|robot|bounces?(?:[-_.+=].*)?"
    r"|(?:[\w.]+[-_.+])?(?:notifications?|notify|notifier|alerts?|newsletters?|digest|mailings?)(?:[-_+=].*)?",
    re.IGNORECASE,
)
_SYSTEM_DOMAIN = re.compile(r"(?:[\w-]+\.)*(?:docusign\.net|echosign\.com|adobesign\.com)", re.IGNORECASE)

_AWAY = (
    r"automatic\s(?:reply|response|answer)|auto(?:mated|matisch)?[\s-]?(?:reply|response|responder)|out[\s-]of[\s-](?:the\s)?office|away\sfrom\s(?:the\s|my\s)?office"
    r"|on\s(?:annual|maternity|paternity|parental)\sleave|vacation\s(?:reply|notice|response)|abwesenheits(?:notiz|nachricht|meldung|info\w*)|automatische\s(?:antwort|rückantwort)"
    r"|abwesen(?:d|heit)|nicht\sim\s(?:büro|haus)|réponse\sautomatique|(?:message\s)?(?:d['’]\s?)?absence(?:\sdu\sbureau)?|absent(?:e)?\sdu\sbureau|respuesta\sautomática|fuera\sde\s(?:la\s)?oficina"
    r"|resposta\sautomática|fora\sdo\sescritório|ausência\s(?:temporária|do\sescritório)|risposta\sautomatica|fuori\s(?:ufficio|sede)|automatisch\s?antwoord|afwezig(?:heid\w*)?|niet\saanwezig"
    r"|automatyczna\sodpowiedź|odpowiedź\sautomatyczna|autoodpowiedź|poza\sbiurem|automatiskt?\s(?:svar|meddelande)|autosvar|frånvaro\w*|fraværs?\w*|ikke\s(?:til\sstede|på\skontoret)"
    r"|automaattinen\s(?:vastaus|poissaolo\w*)|poissaolo\w*|automatická\sodpov[eě]ď|automatikus\s(?:válasz|üzenet)|házon\skívül|otomatik\s(?:yanıt|cevap)|ofis\sdışında|răspuns\sautomat"
    r"|αυτόματη\sαπάντηση|автоматический\sответ|автоответ\w*|автоматична\sвідповідь|автоматичен\sотговор|automatski\sodgovor|samodejni\sodgovor|automaatvastus|automātiskā\satbilde|automatinis\satsakymas"
    r"|自動(?:応答|返信|回覆|回复)|不在(?:通知|連絡|のお知らせ|にしております)|自动(?:回复|答复)|外出回覆|자동\s?(?:회신|응답)|부재\s?중|תשובה\sאוטומטית|رد\sتلقائي|الرد\sالتلقائي|trả\slời\stự\sđộng|balasan\sotomatis|ตอบกลับอัตโนมัติ"
)
_AWAY_SUBJECT = re.compile(
    rf"^\W*(?:auto:\s*)?(?:{_AWAY})\s*(?:auto[\s-]?reply|message|notice|notification|email|e-mail|\w*meldung|\w*notiz)?\s*"
    r"(?:$|[:：\-–—(\[!.,/|【]|re\b|aw\b|\d|(?:until|till?|from|since|bis|vom|seit|ab|du|jusqu|hasta|desde|del|até|de|dal|fino|tot|van|do|od|to|t\.o\.m|til|fra|through)\b)",
    re.IGNORECASE,
)
_AUTO_PREFIX = re.compile(r"^\W*auto(?:\s?reply|\s?response|\s?respond|:\s*re)?\s*:", re.IGNORECASE)

_NOTICE_SUBJECT = re.compile(
    r"""^\W*(?:\[[^\]]{1,60}\]\s*)*(?:
      (?:your\s)?(?:support\s)?(?:request|ticket|case|enquiry|inquiry|message)\s(?:\S+\s)?(?:(?:has\sbeen|was|is)\s)?(?:received|created|opened|registered|logged|acknowledged|closed|solved|resolved)(?:\s*[:\[(#\-–]|\s*$)
    | we(?:['’]ve|\shave)?\sreceived\syour\s(?:request|ticket|case|enquiry|inquiry|message|e-?mail) | (?:acknowledg\w+\sof|confirmation\sof)\s(?:receipt|your\s(?:request|ticket|e-?mail|message))
    | (?:request|ticket|case)\sreceived | thank\syou\sfor\s(?:contacting|your\s(?:submission|registration)) | ihre\s(?:anfrage|nachricht|e-?mail)\s.{0,40}(?:eingegangen|erhalten) | eingangsbestätigung
    | accusé\sde\sréception | votre\s(?:demande|ticket|message)\s.{0,40}(?:reçu|enregistré|créé) | (?:hemos\srecibido\s(?:su|tu)|acuse\sde\srecibo) | recebemos\s(?:a\s)?sua\s(?:solicitação|mensagem)
    | abbiamo\sricevuto\sla\s(?:tua|sua) | ontvangstbevestiging | potwierdzenie\s(?:otrzymania|przyjęcia) | 受付(?:完了|のお知らせ)
    | (?:new\s)?(?:web\s?|contact\s?)?form\s(?:submission|response|entry|notification) | new\s(?:submission|response|entry)\s(?:from|for|in|to|on)\s.*(?:form|survey)
    | (?:read|gelesen|lu|leído|lida|letto|gelezen|przeczytano|läst|læst|lest)\s?:\s | (?:return|read)\sreceipt\b | (?:lesebestätigung|accusé\sde\slecture|confirmación\sde\slectura)
    | report\sdomain: | (?:cron|anacron)\s(?:<|job) | completed:\s.*docusign | (?:please\s)?(?:docusign|adobe\ssign)
    )""",
    re.IGNORECASE | re.VERBOSE,
)

_AWAY_TEXT = re.compile(
    r"(?:(?:hi|hello|dear\s\w+|hallo|guten\stag|bonjour|hola|thank(?:s|\syou)(?:\svery\smuch)?\sfor\syour\s(?:e-?mail|message|mail)|vielen\sdank\sfür\sihre\s(?:e-?mail|nachricht|mail)|merci\spour\svotre\s(?:e-?mail|message|mail|courriel)"
    r"|gracias\spor\s(?:su|tu)\s(?:correo|mensaje))\W+){0,2}"
    r"(?:i(?:['’]m|\sam|\swill\sbe)\s(?:currently\s|now\s|presently\s)?(?:out\sof\s(?:the\s|my\s)?office|away\sfrom\s(?:the\s|my\s)office|on\s(?:annual\s|maternity\s|paternity\s|parental\s|sick\s)?(?:leave|vacation|holidays?))"
    r"|ich\sbin\s(?:derzeit\s|zurzeit\s|momentan\s|aktuell\s|bis\s.{1,30})?(?:nicht\s(?:im\sbüro|im\shause?|erreichbar)|im\surlaub|abwesend|außer\shaus)"
    r"|je\ssuis\s(?:actuellement\s|en\sce\smoment\s)?(?:absente?|en\scongés?|en\svacances)|(?:actualmente\s)?(?:estoy|estaré|me\sencuentro)\s(?:actualmente\s)?(?:fuera\sde\s(?:la\s)?oficina|de\svacaciones|ausente))",
    re.IGNORECASE,
)
_MACHINE_LINE = re.compile(
    r"^[*_\W]*(?:(?:please\snote:?\s)?this\s(?:is\san?|(?:e-?mail|message|mail)\s(?:was|is|has\sbeen))\s(?:an?\s)?(?:system[-\s])?(?:auto(?:mated|matic|matically)(?:[-\s]generated|\ssent)?|computer[-\s]generated)\b"
    r"|dies(?:e\s(?:e-?mail|nachricht)\s(?:wurde|ist)|\sist)\s(?:eine\s)?automatisch|ceci\sest\sun\s(?:message|e-?mail|courriel)\sautomatique|(?:este|esto)\ses\sun\s(?:mensaje|correo)\s(?:generado\s)?autom"
    r"|esta\sé\suma\smensagem\sautom|questo\sè\sun\smessaggio\sautom|dit\sis\seen\sautomatisch|(?:ta|to)\s(?:wiadomość|jest\swiadomość)\s.{0,20}automatycznie|このメールは.{0,20}自動)",
    re.IGNORECASE,
)
_ACKNOWLEDGED = re.compile(
    r"your\s(?:request|ticket|case|enquiry|inquiry|message|e-?mail)\b.{0,60}\b(?:has\sbeen|was)\s(?:received|created|opened|logged|registered)|we(?:['’]ve|\shave)\sreceived\syour\s(?:request|ticket|case|enquiry|inquiry|message|e-?mail)"
    r"|ihre\s(?:anfrage|nachricht|e-?mail)\b.{0,60}\b(?:eingegangen|erhalten|erfasst|bearbeitet)|votre\s(?:demande|message|ticket)\b.{0,60}\b(?:reçue?|enregistrée?|prise?\sen\scompte)|hemos\srecibido\s(?:su|tu)\s",
    re.IGNORECASE,
)
_TICKET_MARK = re.compile(
    r"(?:ticket|case|request|reference|vorgangs?|anfrage|demande|incident|caso|solicitud)[\s-]*(?:id|no\.?|number|nummer|nr\.?|numéro|n°|número|#|:)|\[[^\]]*#\s?\w+[^\]]*\]|reply\sabove\sthis\sline|above\sthis\sline",
    re.IGNORECASE,
)
_FORWARD = re.compile(r"^\s*(?:fwd?|wg|tr|rv|i|enc|vs|pd|doorst)\s*:|^[->\s]{2,}.*(?:forward|original|weitergeleitet|transféré|reenviad)|^\W*(?:from|von|de)\s?:\s", re.I | re.M)


def _weak_signs(message: InboundMessage) -> Iterator[_Found]:
    for rule in (_sender_sign, _subject_sign, _text_sign):
        found = rule(message)
        if found:
            yield found


def _sender_sign(message: InboundMessage) -> _Found | None:
    sender: Address | None = message.from_
    if sender is None:
        return None
    local = sender.addr_spec.rpartition("@")[0] or sender.addr_spec
    if _NO_REPLY.fullmatch(local) or _SYSTEM_LOCAL.fullmatch(local) or _SYSTEM_DOMAIN.fullmatch(sender.domain):
        return OriginKind.AUTO_GENERATED, f"From: {sender.addr_spec}"
    return None


def _subject_sign(message: InboundMessage) -> _Found | None:
    if _AWAY_SUBJECT.match(message.subject) or _AUTO_PREFIX.match(message.subject):
        return OriginKind.AUTO_REPLIED, f"Subject: {message.subject}"
    if _NOTICE_SUBJECT.match(message.subject):
        return OriginKind.AUTO_REPLIED, f"Subject: {message.subject}"
    return None


def _text_sign(message: InboundMessage) -> _Found | None:
    text = message.new_text
    if _FORWARD.search(message.subject) or _FORWARD.search(text):
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    machine = next((line for line in (*lines[:3], *lines[-4:]) if _MACHINE_LINE.match(line)), "")
    if machine:
        return OriginKind.AUTO_GENERATED, f"the text says: {machine}"
    if len(text) > _FEW_WORDS or "?" in text or "？" in text:
        return None
    away = _AWAY_TEXT.match(" ".join(lines))
    if away:
        return OriginKind.AUTO_REPLIED, f"the text says: {away[0]}"
    receipt = _ACKNOWLEDGED.search(text[:400])
    if receipt and _TICKET_MARK.search(f"{message.subject}\n{text}"):
        return OriginKind.AUTO_REPLIED, f"the text says: {receipt[0]}"
    return None
