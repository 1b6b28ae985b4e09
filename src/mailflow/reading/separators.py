"""The lines that mail clients and ticket systems put between an answer and what it answers, in some thirty languages.

Markers      `-----Original Message-----`, `Begin forwarded message:`, `##- Please type your reply above this line -##`
Header block `From: ... Sent: ... To: ... Subject: ...`, over several lines or in one

(Attributions, `On Monday, Ann wrote:`, are in `attributions`.) Each pattern is tried on one line only, so a mail costs
what it is long.
"""

import re
from collections.abc import Sequence
from enum import Enum

from mailflow.reading.phrases import lower

MAX_MARKER = 120
"""Characters of a marker line."""


class Marker(Enum):
    ORIGINAL = "original"
    FORWARDED = "forwarded"
    REPLY_ABOVE = "reply above"


ORIGINAL: dict[str, str] = {
    "en": r"original (?:message|e-?mail|appointment)|reply message|original message processed by david.{0,60}",
    "de": r"urspr(?:ü|ue)ngliche (?:nachricht|mitteilung|e-?mail)|original-?nachricht|antwort nachricht",
    "nl": "oorspronkelijk bericht|origineel bericht|originele bericht",
    "fr": "message d['’]origine|message original|message initial",
    "es, ca, gl": "mensaje original|missatge original|mensaxe orixinal",
    "pt, it, ro": "mensagem original|messaggio originale|mesaj(?:ul)? original",
    "da, no": "oprindelig (?:meddelelse|besked|mail)|opprinnelig (?:melding|e-?post)|original meddelelse",
    "sv": "originalmeddelande|ursprungligt meddelande|ursprungligt mejl",
    "fi, et": r"alkuperäinen viesti(?: / orig\.msg\.?)?|algne kiri",
    "pl": "wiadomość oryginalna|oryginalna wiadomość|treść oryginalnej wiadomości",
    "cs, sk, sl, hr": (
        "původní (?:zpráva|e-?mail)|pôvodná správa(?: --- original message)?|izvirno sporočilo|izvorna poruka"
    ),
    "hu": "eredeti üzenet|eredeti levél",
    "el, bg": "αρχικό μήνυμα|оригинално писмо",
    "ru, uk": "исходное сообщение|оригинальное сообщение|початкове повідомлення|оригінал повідомлення",
    "tr": "orijinal (?:mesaj|ileti)|özgün ileti|asıl mesaj",
    "he, ar": "הודעה מקורית|الرسالة الأصلي.?ة",
    "vi, id": "thư gốc|pesan asli",
    "ja, zh, ko": "元のメッセージ|原始(?:邮件|郵件|消息)|回复的原邮件|邮件原件|원본 ?(?:메시지|메일)",
}
FORWARDED: dict[str, str] = {
    "en": r"forwarded (?:message|mail|letter|by .{1,60})|original message forwarded",
    "de": "weitergeleitete (?:nachricht|e-?mail)",
    "nl": "doorgestuurd bericht",
    "fr": "message (?:transféré|transmis|réexpédié)",
    "es, ca, gl": "mensaje reenviado|missatge reenviat|mensaxe reenviada",
    "pt, it, ro": "mensagem (?:re)?encaminhada|messaggio inoltrato|mesaj redirecționat",
    "da, no": "videresendt (?:meddelelse|besked|melding)|vidaresend melding",
    "sv": "vidarebefordrat (?:meddelande|mejl)",
    "fi, et": r"välitetty viesti(?: / fwd\.msg\.?)?|edelleenlähetetty viesti|edastatud kiri",
    "pl": "wiadomość przekazana|przekazana wiadomość|treść przekazanej wiadomości",
    "cs, sk, sl, hr": (
        "přeposlaná zpráva|preposlaná správa(?: --- forwarded message)?|posredovano sporočilo|proslijeđena poruka"
    ),
    "hu": "továbbított (?:üzenet|levél)",
    "ru, uk": r"(?:пересылаемое|перенаправленное|пересланное) сообщение|(?:перенаправлене|переслане) повідомлення",
    "tr": "iletilmiş (?:mesaj|ileti)|iletilen ileti|yönlendirilen ileti",
    "ja, zh, ko": "転送メッセージ|转发(?:邮件|的邮件|的消息)|轉寄郵件|전달된 메시지",
}
BEGIN_FORWARD: dict[str, str] = {
    "en": "begin forwarded message",
    "de": "anfang der weitergeleiteten (?:nachricht|e-?mail)",
    "nl": "begin doorgestuurd bericht",
    "fr": "début du message (?:réexpédié|transféré)",
    "es": "inicio del mensaje reenviado",
    "pt, it, ro": "início da mensagem (?:re)?encaminhada|inizio messaggio inoltrato|începe mesajul redirecționat",
    "da, no, sv": "start på videresendt (?:besked|melding)|vidarebefordrat brev",
    "fi": "välitetty viesti alkaa",
    "pl": "początek przekazywanej wiadomości",
    "cs, sk, hr": "začátek přeposílané zprávy|začiatok preposlanej správy|započni proslijeđenu poruku",
    "hu": "továbbított levél kezdete",
    "ru, uk": "начало переадресованного сообщения|початок листа, що пересилається",
    "tr": "ileti başlangıcı",
    "ja, zh": "転送されたメッセージ|以下是转发的邮件|下面是被转发的邮件",
}
ABOVE: dict[str, str] = {
    "en": "above this line|above the line|below this line|previous replies",
    "de": "oberhalb dieser|über dieser zeile|über dieser linie|über diese zeile",
    "nl": "boven deze lijn|boven deze regel",
    "fr": "au-dessus de cette ligne|au dessus de cette ligne",
    "es": "encima de esta línea|arriba de esta línea",
    "pt": "acima desta linha|acima dessa linha",
    "it": "sopra questa riga|sopra questa linea",
    "da, no": "over denne linje|ovenfor denne linje",
    "sv": "ovanför denna rad|ovanför den här raden|ovanför denna linje",
    "fi": "tämän rivin yläpuolel",
    "pl": "powyżej tej linii|nad tą linią",
    "cs, sk": "nad tento řádek|nad tímto řádkem|nad tento riadok|nad týmto riadkom",
    "hu": "e sor fölé|a vonal fölé",
    "ru, uk": "выше этой строки|выше этой линии|вище цього рядка",
    "tr": "bu satırın üst",
    "ja, zh, ko": "この行より上|この線より上|此行上方|此线上方|這條線上方|이 줄 위",
}
"""Where a ticket system wants the answer: with a fence around it, or with a word for answering before it."""
ANSWER = (
    "repl resp answ type writ ente add do n don' plea prev antw bitt schr répo répl écri veui svar skri besv vast kirj "
    "odpo pros odpi отве відп пожа yanı lütf ceva bu s vála kérj e so risp scri reag geli por escr "
    "返信 この 请在 請在 回复 回覆 이 줄 답장"
)
"""How the words begin that ask for an answer, in four letters."""
_ANSWER_STARTS = frozenset({word[:4].strip() for word in re.findall(r"do n|bu s|e so|이 줄|\S+", ANSWER)})


def _words(table: dict[str, str]) -> str:
    return "|".join(table.values())


_FENCE = "-_=*#~+."
_MARKER = re.compile(
    rf"^[\s>*]*(?P<head>[{_FENCE}\[]*)\s*"
    rf"(?:(?P<original>{_words(ORIGINAL)})|(?P<forwarded>{_words(FORWARDED)})|(?P<begin>{_words(BEGIN_FORWARD)}))"
    rf"\s*(?P<tail>[{_FENCE}:：]*)\s*$"
)
_GLUED = re.compile(
    rf"(?<!-)-{{3,}}+\s?(?:(?P<original>{_words(ORIGINAL)})|(?P<forwarded>{_words(FORWARDED)}))\s?-{{3,}}"
)
_ABOVE_WORDS = tuple(word for words in ABOVE.values() for word in words.split("|"))


def marker(line: str) -> Marker | None:
    """What a separator line of a client or of a ticket system says; None for any other line."""
    if len(line) > MAX_MARKER:
        return None
    lowered = lower(line)
    found = _MARKER.match(lowered)
    if found:
        head, tail = found["head"].strip("."), found["tail"].strip(".:：")
        is_fenced = (bool(head) and bool(tail)) or len(head) >= 3 or len(tail) >= 3 or "david" in lowered
        if found["original"]:
            return Marker.ORIGINAL if is_fenced else None
        if is_fenced or found["tail"].endswith((":", "：")):
            return Marker.FORWARDED
    return Marker.REPLY_ABOVE if asks_for_answer(lowered) and any(map(lowered.__contains__, _ABOVE_WORDS)) else None


def asks_for_answer(line: str) -> bool:
    """Whether `line` begins as the line of a ticket system may that wants the answer above it."""
    head = line.lstrip(" \t>")[:4]
    return head[:1] in _FENCE or head.lower().strip() in _ANSWER_STARTS or head[:2] in _ANSWER_STARTS


def glued_marker(line: str) -> tuple[int, Marker] | None:
    """A marker inside `line`, where a client lost the line ends: where it begins, and which."""
    found = _GLUED.search(lower(line)) if "---" in line else None
    if found is None:
        return None
    return found.start(), Marker.ORIGINAL if found["original"] else Marker.FORWARDED


RULE = re.compile(r"^(?:[-_=*~#+]{5,}|[\u2500-\u2501\u2012-\u2015_ー=＝]{3,}|(?:[-=*~] ){4,}[-=*~]?)$")
"""A horizontal line, as clients put above a header block and people above a signature; without white space around."""

# ---- header blocks ------------------------------------------------------------------------------------------

LABELS: dict[str, str] = {
    "from": (
        "from|von|van|de|da|fra|från|od|odosielateľ|expéditeur|remitente|mittente|nadawca|lähettäjä|saatja|šalje|"
        "feladó|expeditor|expeditorul|de la|kimden|gönderen|от|от кого|отправитель|від|від кого|מאת|من|"
        "差出人|送信者|发件人|寄件者|寄件人|보낸 사람|보낸사람"
    ),
    "sent": (
        "sent|gesendet|verzonden|envoyé|envoyé le|enviado|enviado el|enviada em|enviado em|inviato|skickat|sendt|"
        "wysłano|data wysłania|odesláno|odoslané|elküldve|trimis|lähetetty|gönderildi|gönderilen|gönderme tarihi|"
        "отправлено|відправлено|נשלח|تم الإرسال|送信日時|发送时间|寄件日期|傳送時間|보낸 날짜|보낸날짜"
    ),
    "date": (
        "date|message du|datum|dátum|dato|data|dată|fecha|päivämäärä|päiväys|tarih|дата|תאריך|التاريخ|"
        "日付|日時|日期|时间|날짜"
    ),
    "to": (
        "to|an|aan|à|a|pour|para|destinataire|destinatario|destinatarul|către|till|til|do|komu|pre|pro|prima|címzett|"
        "vastaanottaja|kime|adresat|кому|אל|إلى|宛先|收件人|收件者|받는 사람|받는사람"
    ),
    "subject": (
        "subject|betreff|onderwerp|objet|sujet|asunto|assunto|oggetto|ogg|ämne|emne|temat|předmět|predmet|naslov|tárgy|"
        "subiect|subiectul|aihe|konu|тема|נושא|الموضوع|件名|主题|主題|主旨|제목"
    ),
    "other": (
        "cc|bcc|kopie|kopi|kopia|kópia|kopio|copie|copie à|copia|dw|udw|másolat|másolatot kap|копия|копія|bilgi|抄送|"
        "副本|참조|reply-to|antwort an|répondre à|responder a|rispondi a|antwoord aan|svar til|svara till|organization|"
        "organisation|organización|importance|priority|priorität|wichtigkeit|attachments|anlagen|bijlagen|"
        "pièces jointes"
    ),
}
"""What names a header field, by what it holds; `sent` beside `date`, since people seldom write it."""
_KINDS = {word: kind for kind, words in LABELS.items() for word in words.split("|")}
_LABEL_SIGNS = " \t>*_|\xa0"
MAX_LABEL = 24
_MORE_LABELS = re.compile(r"(?:(?<=\s)|(?<=\*))([^\W\d]{1,12})\s?:")
_HOUR = re.compile(r"\d[:.]\d\d")
MAX_BLOCK = 12
"""Lines of a header block."""


def header_label(line: str) -> str | None:
    """The kind of header field (`from`, `sent`, `date`, `to`, `subject`, `other`) that `line` shows; None if none."""
    label, colon, _ = line[: MAX_LABEL + 16].replace("：", ":", 1).partition(":")
    return _KINDS.get(lower(label.strip(_LABEL_SIGNS))) if colon and len(label) <= MAX_LABEL else None


def header_block(lines: Sequence[str], number: int) -> int:
    """How many of `lines` the header block at `number` takes; 0 if none is there.

    It names a sender and one field more, or three fields, or a moment and an address; and it holds something that
    people's own lists (`From: Berlin`) do not: a subject, an address, or the word that only clients use for the date.
    """
    kinds: set[str] = set()
    last = number
    misses = 0
    for position in range(number, min(number + MAX_BLOCK, len(lines))):
        line = lines[position]
        kind = header_label(line)
        if kind is not None:
            kinds.add(kind)
            if len(line) > 40:
                kinds.update(filter(None, (_KINDS.get(lower(word)) for word in _MORE_LABELS.findall(line))))
            last, misses = position, 0
        elif misses >= 1 or (not line.strip() and len(kinds) >= 2):
            break
        else:
            misses += 1
    block = "\n".join(lines[number : last + 1])
    fields = kinds - {"other"}
    is_mail = bool(fields & {"subject", "sent"}) or "@" in block
    is_whole = len(fields) >= (2 if "from" in fields else 3)
    is_dated = len(fields) >= 2 and "@" in block and _HOUR.search(block) is not None
    return last - number + 1 if (is_whole and is_mail) or is_dated else 0
