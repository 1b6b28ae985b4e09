"""What stands around the words of a mail: greeting, closing, name, business card, phone footer, legal notice.

Rule: a signature begins with a line that says so (`-- `, a closing, `Sent from my phone`, a rule with a card under it)
and is a card: few, short lines that tell nothing and ask nothing. Sentences below it are new, as a postscript is.
All patterns read lower case; names are told by their capitals.
"""

import re
from collections.abc import Sequence

from mailflow.reading.phrases import CLOSINGS, DISCLAIMERS, GREETINGS, SENT_FROM, lower

MAX_SIGNED_LINES = 50
"""Non-blank lines at the end of a text among which a signature may begin."""
MAX_LINE = 120
MAX_CARD_LINES = 14
MAX_CARD_WORDS = 90
MAX_RULED_LINES = 8
"""Lines of a card under a bare rule."""

_AND = r"\s*(?:/|\||&|\+|,|\b(?:and|und|en|et|y|e|og|och|ja|i|a|ve|и|та)\b)\s*"


def _words(table: dict[str, str]) -> str:
    return "|".join(table.values())


_CLOSING = re.compile(
    rf"[\s*_]*+(?:{_words(CLOSINGS)})(?!\w)(?:{_AND}(?:{_words(CLOSINGS)})(?!\w))?\s*[,.!，。！、;:)~*_\-–—]*\s*"
)
_NAME = re.compile(r"(?:[A-Z\u00c0-\u00de\u0100-\u1eff\u0386-\u042f][\w.'’-]{0,20}|[^\w\s]{1,3}|[\u3040-\ud7af]{1,8})")
MAX_NAMES = 3
MAX_CLOSING = 80
MAX_SPACES = 9


def is_closing(line: str) -> bool:
    """Whether `line` closes a letter: `Kind regards,`, alone or with the name (or a smiling face) behind it."""
    found = _CLOSING.match(lower(line)) if len(line) <= MAX_CLOSING and line.count(" ") <= MAX_SPACES else None
    if found is None:
        return False
    rest = line[found.end() :].rstrip(" ,.!*_")
    return not rest or _is_name(rest)


def _is_name(text: str) -> bool:
    words = text.split()
    return len(words) <= MAX_NAMES and all(_NAME.fullmatch(word) for word in words)


_SENT_FROM = re.compile(
    rf"[\s\-_*~\[(<]*+(?:{_words(SENT_FROM)})(?:[^,;?!.]|\.(?=\w)){{0,80}}[\s)>\]]*"
    r"(?:[.,]\s*(?:please|excuse|pardon|sorry|powered|apologies|forgive).{0,60})?!?\.?\s*$"
)


def is_sent_from(line: str) -> bool:
    """Whether `line` is a footer of a phone or an app (`Sent from my phone`), which no person wrote."""
    if len(line) > MAX_LINE:
        return False
    lowered = lower(line)
    if _SENT_FROM.match(lowered) is not None:
        return True
    return ("[" in lowered or "http" in lowered) and _SENT_FROM.match(_LINK.sub("", lowered)) is not None


_LINK = re.compile(r"[<(\[]?https?:[^\s>)\]]+[>)\]]?|\[|\]\(.*\)")

EXACT_DASHES = "-- "
"""The signature separator (RFC 3676, 4.3); the one line whose white space counts."""
SIGNATURE_DASHES = re.compile(r"(?:-- ?|—|–|__)$")
_RULE_SIGNS = frozenset("-–—_=*~+/□■◇◆☆★ー＝＊\u2500\u2501\u2012\u2015")
RULE = re.compile(r"[-_=*~+]{3,}$|[\u2500-\u2501\u2012-\u2015ー＝＊*=□■◇◆☆★+-]{4,}$")
NAME_DASH = re.compile(r"[-–—~/]{1,2}\s?[A-Z\u00c0-\u00de][\w.'-]*(?:\s[A-Z\u00c0-\u00de][\w.'-]*){0,2}$|-[a-z]{2,12}$")
"""`- Ann`, `/Ann`, `-ann` as the last line."""
BULLET = re.compile(r"[-–—*•]\s")
POSTSCRIPT = re.compile(r"(?:p\.?\s?s|n\.?\s?b)\.?\s?[:.,\-]|(?:ps|nb)\s", re.IGNORECASE)

_GREETING = re.compile(
    rf"(?:{_words(GREETINGS)})(?![\w'])"
    r"(?:(?:\s+[^\s.?!:;,]+){0,5}\s*[,:，、：،]|(?:\s+[^\s.?!:;,]+){0,3}\s*[.!。！-]?)\s*$"
)


def is_greeting(line: str) -> bool:
    """Whether `line` is a greeting and nothing else: few words, or a comma behind them."""
    return len(line) <= MAX_LINE and _GREETING.match(lower(line)) is not None


_DISCLAIMER = re.compile(rf"[\s*_>\-]*+(?:{_words(DISCLAIMERS)})")
_BANNER = re.compile(
    r"[\s*_>\[!#-]*+(?:(?:caution|warning|attention|notice|note|achtung|vorsicht|hinweis|attenzione|atención|atenção|"
    r"uwaga|dikkat|внимание|let op|obs)\b.{0,80}(?:extern|outside|originat|außerhalb|estern|zewnątrz|zewnętrz|harici|"
    r"внешн|buiten|unknown sender)|(?:this|you).{0,30}(?:e-?mail|message).{0,30}(?:originated|came|sent) from outside|"
    r"extern(?:al)?(?: |\])(?:e-?mail|sender|message|absender|nachricht|bericht))"
)
"""What a gateway writes above a mail that comes from outside."""


def is_disclaimer(line: str) -> bool:
    """Whether `line` begins a legal notice. `Warning:` alone does not: people write that too."""
    return _DISCLAIMER.match(lower(line)) is not None


def is_banner(line: str) -> bool:
    """Whether `line` is a gateway's warning that the mail is from outside."""
    return _BANNER.match(lower(line)) is not None


# ---- what tells something, and what is a business card ------------------------------------------------------

_SENTENCE_END = (".", "!", "?", "。", "！", "？", ":", "…")
_QUESTION_END = ("?", "？")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LABELLED = re.compile(r"[^\W\d][\w /&-]{1,30}[:：]\s*[^\s/]")
_CARD_LABEL = re.compile(
    r"(?:(?:t|tel|phone|telefon|teléfono|téléphone|telefono|telefone|p|m|mob|mobile|mobil|handy|cell|c|f|fax|d|direct|"
    r"office|e|e-?mail|mail|w|web|website|www|skype|linkedin|twitter|url|vat|nip|krs|iban|address|adresse|vcard|tlf|gsm|"
    r"puh|тел|моб|電話|电话|전화|메일|邮箱|住所|地址))\.?\s*[:：]",
    re.IGNORECASE,
)
_CONTACT = re.compile(
    r"@|www\.|https?:|cid:|\+?\d[\d\s()./-]{7,}\d|\b(?:tel|phone|mobile|mailing list)\b|〒", re.IGNORECASE
)
_COMPANY = re.compile(
    r"\b(?:gmbh|ag|inc|ltd|llc|bv|b\.v|srl|s\.r\.l|d\.o\.o|s\.r\.o|a\.ş)\b|sp\. z o|株式会社|有限公司|주식회사",
    re.IGNORECASE,
)


def is_prose(line: str) -> bool:
    """Whether `line` tells or asks something: a question, a sentence of six words with most of them small, or a
    `label: value` that no card has."""
    if line.endswith(_QUESTION_END):
        return True
    words = line.split()
    if len(words) >= 6:
        is_whole = line.endswith(_SENTENCE_END) or len(words) >= 9
        return is_whole and sum(word[0].islower() for word in words) * 5 >= len(words) * 2
    if _LABELLED.match(line):
        return _CARD_LABEL.match(line) is None and _CONTACT.search(line) is None
    return len(line) >= 15 and line.endswith(_SENTENCE_END) and len(_CJK.findall(line)) >= 12


_NOT_CAPITAL = frozenset(
    "de del della der den di du da la le van von zu of at and und et y e from for team i z".split()
)
_DIGIT = re.compile(r"\d")
_BEHIND_NAME = re.compile(r"[,|(/]|\s[-–—]\s")
MAX_CARD_HEAD = 8
"""Words of the first line of a card."""


def _begins_card(line: str) -> bool:
    """Whether `line` may be the first under a closing: a name, a contact, a picture, a rule."""
    if _CONTACT.search(line) is not None or RULE.match(line) or SIGNATURE_DASHES.match(line):
        return True
    if _DIGIT.search(line) or BULLET.match(line) or len(line.split()) > MAX_CARD_HEAD:
        return False
    words = [word.strip("*_[].") for word in _BEHIND_NAME.split(line, maxsplit=1)[0].split()]
    is_named = all(not word[:1].islower() or word in _NOT_CAPITAL for word in words)
    tells = line.endswith(_SENTENCE_END) and _COMPANY.search(line) is None
    return len(words) > tells if is_named else len(words) <= 2 and not tells


# ---- where a signature begins and ends ----------------------------------------------------------------------


def signature(lines: Sequence[str], *, is_first: bool) -> tuple[int, int] | None:
    """From where to where a signature stands in `lines` (without white space around); None if there is none.

    `is_first`: the mail begins with these lines, so the first of them is no signature.
    """
    filled = [number for number, line in enumerate(lines) if line]
    for order in range(max(int(is_first), len(filled) - MAX_SIGNED_LINES), len(filled)):
        start = filled[order]
        end = _signature_end(lines, filled, order) if len(lines[start]) <= MAX_LINE else None
        if end is not None:
            return start, end
    return None


def _signature_end(lines: Sequence[str], filled: Sequence[int], order: int) -> int | None:
    """Where the signature ends that begins at `filled[order]`; None if none begins there."""
    line = lines[filled[order]]
    if line[0] in _RULE_SIGNS:
        if SIGNATURE_DASHES.match(line):
            return _card_end(lines, filled[order + 1 :], sentences=4 if line == EXACT_DASHES else 1)
        if RULE.match(line):
            return _ruled_card_end(lines, filled, order)
        if order == len(filled) - 1 and NAME_DASH.match(line):
            before = lines[filled[order - 1]] if order else ""
            return None if BULLET.match(before) or before.endswith(":") else len(lines)
    if is_sent_from(line):
        return _card_end(lines, filled[order + 1 :])
    if is_closing(line) and (order == len(filled) - 1 or _begins_card(lines[filled[order + 1]])):
        return _card_end(lines, filled[order + 1 :])
    return None


def _card_end(lines: Sequence[str], below: Sequence[int], *, sentences: int = 0) -> int | None:
    """Where the card of the line numbers `below` ends: at a postscript or a sentence, else at the end of `lines`.

    None where it is too long to be one, or where the sentence follows at once. `sentences`: how many a card may have.
    """
    words = 0
    for count, number in enumerate(below):
        line = lines[number]
        if is_disclaimer(line):
            break
        if POSTSCRIPT.match(line):
            return number
        if is_prose(line) and not is_sent_from(line):
            sentences -= 1
            if sentences < 0 or line.endswith(_QUESTION_END):
                return number if count else None
        words += len(line.split())
        if count >= MAX_CARD_LINES or words > MAX_CARD_WORDS:
            return None
    return len(lines)


def _ruled_card_end(lines: Sequence[str], filled: Sequence[int], order: int) -> int | None:
    """As `_card_end`, for a bare rule: people draw rules in tables and between their paragraphs, too."""
    start = filled[order]
    below = [lines[number] for number in filled[order + 1 :]]
    if all(map(RULE.match, below)):
        return len(lines)
    legal = next((number for number, line in enumerate(below) if is_disclaimer(line)), len(below))
    card = below[:legal]
    stands_free = start == 0 or not lines[start - 1] or is_closing(lines[start - 1])
    is_name = len(card) == 1 and _is_name(card[0])
    has_contact = any(_CONTACT.search(line) or _COMPANY.search(line) for line in card)
    is_card = is_name or (has_contact and len(card) <= MAX_RULED_LINES and not any(map(is_prose, card)))
    return len(lines) if stands_free and (is_card or not card) else None
