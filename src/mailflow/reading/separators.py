"""The lines that mail clients put between an answer and what it answers, and around signatures, in eighteen languages.

mail-parser-reply's tables (attributions, closings, `Sent from`, disclaimers) are the base; the tables here add what it
lacks. Why its tables and not its parser: that is quadratic (16 KB of blank lines take two minutes) and rewrites the
text, while we need offsets. Each pattern is tried on one short candidate only, so a mail costs what it is long.
"""

import re
from enum import Enum

from mailparser_reply.constants import MAIL_LANGUAGES

ATTRIBUTION_ENDS = (":", "：", "-", ";")
MAX_CANDIDATE = 320
"""Characters of an attribution, over at most MAX_ATTRIBUTION_LINES lines."""
MAX_ATTRIBUTION_LINES = 4

# ---- attributions: `On Monday, 6 May 2024, Ann wrote:` ------------------------------------------------------

_WROTE = (
    r"wrote|writes|sent|said|schrieb(?:en)?|a \u00e9crit|a ecrit|\u00e9crit|escribi\u00f3|escribio|"
    r"escreveu|ha scritto|scrive|schreef|"
    r"geschreven|napisa\u0142(?:a|\(a\))?|pisze|nades\u0142a\u0142|skrev|kirjoitti|napsal(?:a|\(a\))?|"
    r"yazd\u0131|\u015funu yazd\u0131|"
    r"написал(?:а|\(а\))?|пишет|писал(?:а|\(а\))?|írta|a scris|έγραψε|написав|"
    r"写道|寫道|のメール|さんは書きました|님이 작성|작성하였습니다|님께서 작성|님 작성|쓴 글|כתב|كتب"
)
_VERB = re.compile(rf"(?:\b|(?<=[^\x00-\x7f])|(?<=>))(?:{_WROTE})[^:：]{{0,90}}[:：]\s*$", re.IGNORECASE)
_VERB_IN_RULE = re.compile(rf"^[-_=*]{{2,}}.{{2,200}}\b(?:{_WROTE})\s*:?\s*[-_=*]{{2,}}\s*$", re.IGNORECASE)
_STARTER = re.compile(
    r"^(?:on|am|at|le|el|em|a|il|in data|op|w dniu|dnia|den|p\u00e5|dne|d\u0148a|\u043e\u0442|в|de|från|"
    r"fra|von|from|van|ti|to|ma|ke|pe|la|su|"
    r"mon|tue|wed|thu|fri|sat|sun|man|tir|ons|tor|fre|l\u00f8r|s\u00f8n|m\u00e5n|tis|l\u00f6r|s\u00f6n|"
    r"lun|mar|mer|jeu|ven|sam|dim|\d)",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.h]\d{2}\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[年년]|"
    r"\b\d{1,2}\.? (?:jan|feb|m[aä]r|apr|ma[yij]|jun|jul|aug|sep|o[ck]t|nov|de[cz])|"
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,2}\b",
    re.IGNORECASE,
)
_ANGLE_ADDRESS = re.compile(r"<[^<>\s]+@[^<>\s]+>|\[mailto:|\([^()\s]+@[^()\s]+\)|\S+@\S+\.\w+")
_LIBRARY_ATTRIBUTIONS = tuple(
    re.compile(table["wrote_header"].removesuffix("$") + r"\s*$", re.IGNORECASE | re.DOTALL)
    for table in MAIL_LANGUAGES.values()
    if "wrote_header" in table
)
_INLINE_ATTRIBUTION = re.compile(
    r"(?<=[.!?)]\s)(?:On\s(?=[^\n]{0,60}\d)|Am\s(?=[^\n]{0,60}\d)|Le\s(?=[^\n]{0,60}\d)|"
    r"El\s(?=[^\n]{0,60}\d))[^\n]{8,200}?"
    r"\b(?:wrote|schrieb|a \u00e9crit|escribi\u00f3)[^\n:]{0,60}:\s*$",
)


def is_attribution(candidate: str, *, before_quote: bool, is_one_line: bool) -> bool:
    """Whether `candidate` (one to four lines joined) introduces a quote. `before_quote`: a quoted line follows."""
    if len(candidate) > MAX_CANDIDATE or not candidate.rstrip().endswith(ATTRIBUTION_ENDS):
        return False
    if _VERB_IN_RULE.match(candidate):
        return True
    has_date = _DATE.search(candidate) is not None
    has_address = _ANGLE_ADDRESS.search(candidate) is not None
    says_wrote = _VERB.search(candidate) is not None
    if has_date and has_address and (is_one_line or says_wrote) and candidate.rstrip()[-1] in ":：":
        return is_one_line or _STARTER.match(candidate) is not None
    if says_wrote and has_date and _STARTER.match(candidate):
        return True
    if says_wrote and is_one_line and (has_address or before_quote):
        return True
    if before_quote and has_date and is_one_line and candidate.rstrip()[-1] in ":：":
        return True
    return any(pattern.match(candidate) for pattern in _LIBRARY_ATTRIBUTIONS)


def inline_attribution(line: str) -> int | None:
    """Where in `line` an attribution begins that a client glued to the answer's last sentence."""
    found = _INLINE_ATTRIBUTION.search(line) if len(line) <= 1000 else None
    return found.start() if found else None


# ---- marker lines -------------------------------------------------------------------------------------------

_ORIGINAL = (
    r"original message|original e-?mail|original appointment|reply message|ursprüngliche nachricht|"
    r"urspruengliche nachricht|"
    r"originalnachricht|original-nachricht|message d'origine|message original|mensaje original|"
    r"mensagem original|messaggio originale|"
    r"oorspronkelijk bericht|originele bericht|oprindelig meddelelse|original meddelelse|"
    r"opprinnelig melding|originalmeddelande|"
    r"ursprungligt meddelande|alkuperäinen viesti|wiadomość oryginalna|oryginalna wiadomość|"
    r"původní zpráva|původní e-mail|"
    r"orijinal mesaj|özgün ileti|исходное сообщение|оригинальное сообщение|元のメッセージ|原始邮件|"
    r"原始郵件|원본 메시지|원본 메일|eredeti üzenet"
)
_FORWARDED = (
    r"forwarded message|forwarded by .{1,60}|forwarded mail|forwarded letter|original message forwarded|"
    r"weitergeleitete nachricht|"
    r"weitergeleitete e-mail|message transféré|message transmis|message réexpédié|mensaje reenviado|"
    r"mensagem encaminhada|mensagem reencaminhada|"
    r"messaggio inoltrato|doorgestuurd bericht|videresendt meddelelse|videresendt melding|"
    r"vidarebefordrat meddelande|"
    r"välitetty viesti|wiadomość przekazana|przekazana wiadomość|přeposlaná zpráva|iletilmiş mesaj|"
    r"yönlendirilen ileti|"
    r"пересылаемое сообщение|перенаправленное сообщение|пересланное сообщение|"
    r"転送メッセージ|转发邮件|轉寄郵件|转发的邮件|전달된 메시지"
)
_BEGIN_FORWARD = (
    r"begin forwarded message|anfang der weitergeleiteten (?:nachricht|e-?mail)|"
    r"début du message (?:réexpédié|transféré)|"
    r"inicio del mensaje reenviado|início da mensagem (?:encaminhada|reencaminhada)|inizio messaggio inoltrato|"
    r"begin doorgestuurd bericht|start på videresendt (?:besked|melding)|vidarebefordrat brev|"
    r"転送されたメッセージ|以下是转发的邮件|下面是被转发的邮件|"
    r"начало переадресованного сообщения|전달된 메시지"
)
_REPLY_ABOVE = (
    r"(?:please )?(?:type|write|enter|add) your (?:reply|response|message|answer) above|reply above this line|"
    r"(?:write|respond|answer) above this line|do not (?:write|reply|type) below this line|"
    r"bitte (?:antworten sie|schreiben sie ihre antwort) (?:über|oberhalb)|répondre au-dessus de cette ligne|"
    r"responda por encima de esta línea|previous replies\W*$"
)
_MARKER = re.compile(
    rf"^[\s>]*(?:[-_=*#~+.]{{1,}}\s*)?"
    rf"(?:(?P<original>{_ORIGINAL})|(?P<forwarded>{_FORWARDED})|(?P<begin>{_BEGIN_FORWARD}))"
    rf"\s*(?P<tail>[-_=*#~+.:]*)\s*$",
    re.IGNORECASE,
)
_ABOVE = re.compile(rf"^[\s>]*[-_=*#~+.\[(]*\s*(?:{_REPLY_ABOVE})", re.IGNORECASE)


_ABOVE_WORDS = ("repl", "above", "below", "oberhalb", "über ", "dessus", "encima")
_FENCES = frozenset("-_=*#~+.:：[(")


class Marker(Enum):
    ORIGINAL = "original"
    FORWARDED = "forwarded"
    REPLY_ABOVE = "reply above"


def marker(line: str) -> Marker | None:
    """What a separator line of a client or of a ticket system says; None for any other line."""
    bare = line[:121].strip(" \t>").lower()
    if len(line) > 120 or not (
        bare[:1] in _FENCES or bare[-1:] in _FENCES or any(word in bare for word in _ABOVE_WORDS)
    ):
        return None
    found = _MARKER.match(line)
    if found:
        is_fenced = bare[:1] in "-_=*#~+" or bool(found["tail"].strip(":."))
        if found["original"]:
            return Marker.ORIGINAL if is_fenced else None
        if is_fenced or bare.endswith((":", "：")):
            return Marker.FORWARDED
    return Marker.REPLY_ABOVE if _ABOVE.match(line) else None


# ---- header blocks: `From: ... Sent: ... To: ... Subject: ...` ----------------------------------------------

_LABELS: dict[str, str] = {
    "from": (
        r"from|von|de|da|van|från|fra|od|от|lähettäjä|kimden|gönderen|feladó|expéditeur|remitente|差出人|"
        r"送信者|发件人|寄件者|寄件人|보낸 ?사람|od koho"
    ),
    "date": (
        r"sent|date|gesendet|datum|envoyé|envoyé le|fecha|enviado|enviado el|enviada em|enviado em|data|"
        r"inviato|verzonden|skickat|sendt|dato|"
        r"wysłano|data wysłania|odesláno|отправлено|дата|lähetetty|päivämäärä|gönderildi|tarih|送信日時|日付|"
        r"日時|发送时间|日期|寄件日期|보낸 ?날짜|날짜"
    ),
    "to": (
        r"to|an|à|a|para|aan|till|til|do|komu|кому|vastaanottaja|kime|pro|destinataire|destinatario|"
        r"宛先|收件人|收件者|받는 ?사람"
    ),
    "cc": r"cc|kopie|kopi|kopia|copie|copia|dw|копия|kopio|bilgi|抄送|副本|참조|bcc",
    "subject": (
        r"subject|betreff|objet|asunto|assunto|oggetto|onderwerp|ämne|emne|temat|předmět|тема|aihe|konu|"
        r"件名|主题|主旨|제목"
    ),
}
_LABEL = re.compile(
    r"^[\s>*_|]{0,8}(?:"
    + "|".join(f"(?P<{kind}>{words})" for kind, words in _LABELS.items())
    + r")\s{0,2}[*_]{0,3}\s?[:：][*_]{0,3}",
    re.IGNORECASE,
)


def header_label(line: str) -> str | None:
    """The kind of header field (`from`, `date`, `to`, `cc`, `subject`) that `line` shows; None if it shows none."""
    head = line[:60]
    found = _LABEL.match(head) if ":" in head or "：" in head else None
    return found.lastgroup if found else None


RULE = re.compile(r"^\s*(?:[-_=*~]{5,}|[\u2500-\u2501\u2014]{3,})\s*$")
"""A horizontal line, as clients put above a header block."""

# ---- signatures, greetings, disclaimers ---------------------------------------------------------------------


def _library_table(key: str) -> list[str]:
    listed: list[str] = []
    for table in MAIL_LANGUAGES.values():
        value = table.get(key, [])
        listed += [value] if isinstance(value, str) else value
    return [pattern.rstrip(",，") for pattern in listed if pattern and pattern != r"/\w+"]


_CLOSINGS = (
    r"(?:with )?(?:best|kind|kindest|warm|warmest|many)?\s?regards|(?:best|warm) wishes|best|cheers|"
    r"thanks(?: (?:and|&) (?:best |kind )?regards| again| in advance)?|"
    r"thank you(?: (?:in advance|again|very much|and (?:best|kind) regards))?|many thanks|thx|"
    r"yours (?:sincerely|faithfully|truly)|sincerely(?: yours)?|"
    r"respectfully|take care|all the best|rgds|br|kr|mit freundlichen gr(?:ü|ue)(?:ß|ss)en|"
    r"freundliche gr(?:ü|ue)(?:ß|ss)e|mfg|vg|lg|"
    r"(?:mit )?(?:besten|lieben|herzlichen|vielen)? ?gr(?:ü|ue)(?:ß|ss)(?:e|en)?|(?:viele|beste|liebe|"
    r"herzliche|schöne) gr(?:ü|ue)(?:ß|ss)e|danke(?: und .{3,40})?|vielen dank(?: .{3,40})?|"
    r"(?:bien )?cordialement|bien à vous|(?:meilleures|sincères) salutations|salutations|"
    r"merci(?: d'avance| beaucoup)?|"
    r"(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|atte|cordialmente|(?:muchas )?gracias|"
    r"atenciosamente|cumprimentos|(?:com os )?melhores cumprimentos|abraços?|obrigad[oa]|att|"
    r"(?:cordiali|distinti) saluti|saluti|grazie(?: mille)?|met vriendelijke groet(?:en)?|mvg|groet(?:en|"
    r"jes)?|hartelijke groet(?:en)?|"
    r"med venlig(?:e)? hils(?:en|ner)|venlig hilsen|hilsen|mvh|vennlig hilsen|med vennlig hilsen|"
    r"med vänlig(?:a)? hälsning(?:ar)?|vänliga hälsningar|hälsningar|ystävällisin terveisin|terveisin|"
    r"yst\.? terv\.?|"
    r"z poważaniem|pozdrawiam|pozdrowienia|s pozdravem|s pozdravom|с уважением|спасибо|saygılarımla|"
    r"iyi çalışmalar|"
    r"よろしくお願い(?:いた|致)?します|以上|敬具|此致|敬礼|谢谢|祝好|감사합니다"
)
_LIBRARY_CLOSINGS = "|".join(_library_table("signatures"))
CLOSING = re.compile(
    rf"^\s*(?:{_CLOSINGS}|{_LIBRARY_CLOSINGS})\s*[,.!，。、;:)~\-]*"
    rf"(?:\s*(?-i:[A-Z\u00c0-\u00de])[\w'.-]{{1,20}}){{0,3}}\s*[,.!]?\s*$",
    re.IGNORECASE,
)
"""A line that closes a letter, alone or with the name behind it."""

_SENT_FROM = (
    r"sent (?:from|with|via|by|using) (?:my |the |a )?|get outlook for|gesendet (?:von|mit|über)|"
    r"von meinem .{2,30} gesendet|diese nachricht wurde von meinem|"
    r"envoyé (?:de|depuis|à partir|via|avec)|télécharger outlook|obtenez outlook|enviado (?:desde|do|de|"
    r"a partir|via|pelo)|obtener outlook|obter o outlook|"
    r"inviato (?:da|dal|con)|ottieni outlook|verzonden (?:vanaf|met|via|vanuit)|verstuurd vanaf|"
    r"outlook voor|skickat från|skickat med|"
    r"sendt fra|hent outlook|lähetetty (?:minun )?|hanki outlook|wysłan[eoy] z|pobierz|odesláno z|"
    r"iphone'umdan gönderildi|отправлено (?:с|из)|"
    r"iphoneから送信|から送信|发自我的|發自我的|从我的.{1,20}发送|나의 .{1,20}에서 보냄|내 .{1,20}에서 보냄"
)
_LIBRARY_SENT_FROM = "|".join(_library_table("sent_from"))
SENT_FROM = re.compile(
    rf"^\s*[-_*~\[(]*\s*(?:{_SENT_FROM}|{_LIBRARY_SENT_FROM})\s?[^,;?!]{{0,60}}"
    rf"(?:, (?:please|excuse|pardon|sorry|powered).{{0,60}})?!?\s*$",
    re.IGNORECASE,
)
"""`Sent from my phone`, which no person wrote."""

SIGNATURE_DASHES = re.compile(r"^\s?(?:--|—|–|__)\s?$")
"""The signature separator (RFC 3676, 4.3), with and without its space."""
NAME_DASH = re.compile(r"^\s*[-–—~/]{1,2}\s?[A-Z\u00c0-\u00de][\w.'-]*(?:\s[A-Z\u00c0-\u00de][\w.'-]*){0,2}\s*$")
"""`- Ann`, `/Ann`, `-Ann Lee` as the last line."""
BULLET = re.compile(r"^\s*[-–—*•]\s")
SHORT_RULE = re.compile(r"^\s*-{3,4}\s*$")
POSTSCRIPT = re.compile(r"^\s*p\.?\s?s\.?\s?[:.,\-]", re.IGNORECASE)

_GREETINGS = (
    r"hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|greetings|to whom it may concern|hallo|"
    r"guten (?:tag|morgen|abend)|"
    r"sehr geehrte[rs]?|liebe[rs]?|moin|servus|grüezi|bonjour|bonsoir|cher|chère|chers|madame|monsieur|"
    r"hola|buen(?:os|as)? (?:días|tardes|noches)|estimad[oa]s?|"
    r"olá|ola|bom dia|boa (?:tarde|noite)|prezad[oa]s?|car[oiae]|buongiorno|buonasera|ciao|salve|gentile|"
    r"gentili|spett\.?le|beste|geachte|goedemorgen|goedemiddag|"
    r"hej|hei|kære|kjære|god (?:dag|morgen|morgon)|dzień dobry|witam|szanown[aiy]\S*|cześć|dobrý den|"
    r"vážen[íýá]\S*|здравствуйте|добрый день|уважаем\S+|merhaba|sayın|"
    r"お世話になっております|お疲れ様です|您好|你好|尊敬的|안녕하세요"
)
GREETING = re.compile(
    rf"^\s*(?:{_GREETINGS})(?![\w'])(?:(?:\s+[^\s.?!:;,]+){{0,5}}\s*[,:，、：]|(?:\s+[^\s.?!:;,]+){{0,3}}\s*[.!。！-]?)\s*$",
    re.IGNORECASE,
)
"""A line that is a greeting and nothing else: few words, or a comma behind them."""

_DISCLAIMERS = (
    r"confidentiality (?:notice|note)|disclaimer\b|(?:legal|privacy) notice|caution: this|"
    r"external (?:e-?mail|sender)|"
    r"th(?:is|e information (?:contained )?in this) (?:e-?mail|message|communication|"
    r"transmission)(?: message)?[ ,(].{0,120}(?:confidential|privileged|intended|solely)|"
    r"the (?:information|contents?) (?:contained |transmitted )?(?:in|of) this (?:e-?mail|"
    r"message).{0,120}(?:confidential|privileged|intended)|"
    r"if you (?:are not|have received) (?:the intended|this (?:e-?mail|message))|please consider the environment|"
    r"diese e-?mail.{0,80}vertraulich|der inhalt dieser e-?mail.{0,60}vertraulich|ce (?:message|courriel|"
    r"e-?mail).{0,100}confidentiel|"
    r"este (?:mensaje|correo|e-?mail).{0,100}confidencial|esta mensagem.{0,100}confidencia|"
    r"questo messaggio.{0,100}(?:riservat|confidenzial)|"
    r"dit bericht.{0,100}vertrouwelijk|registered (?:office|in england)|sitz der gesellschaft|"
    r"geschäftsführer(?:in)?:|handelsregister|amtsgericht"
)
_LIBRARY_DISCLAIMERS = "|".join(_library_table("disclaimers"))
_ABOUT_MAIL = (
    r".{0,300}(?:e-?mail|confidential|vertraulich|confidenc|confidentiel|vertrouwelijk|riservat|poufn|fortrolig)"
)
DISCLAIMER = re.compile(rf"^[\s*_>]*(?:{_DISCLAIMERS}|(?:{_LIBRARY_DISCLAIMERS})(?={_ABOUT_MAIL}))", re.IGNORECASE)
"""A line that begins a legal notice. `Warning:` alone does not: people write that too."""
