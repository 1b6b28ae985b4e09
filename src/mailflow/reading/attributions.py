"""The line that introduces a quote: `On Monday, 6 May 2024, Ann wrote:`, as mail clients write it in forty languages.

Rule: an attribution is told by what it is made of, not by one wording: a date, an hour, an address, a verb that says
`wrote`, and how the line begins and ends (RULES). A quote whose lines are marked needs less of it.
Why: sentences of people end with a colon as well, and what follows an attribution without marks is cut.
"""

import re
from functools import cached_property
from typing import NamedTuple

from mailflow.reading.phrases import lower

MAX_LINES = 4
"""Lines over which clients wrap an attribution."""
MAX_LENGTH = 320
ENDS = (":", "：", ";", "-", ">", "wrote")
"""What an attribution ends with; a line that ends otherwise needs no second look."""
_COLONS = (":", "：", ";")

WROTE: dict[str, str] = {
    "en": "wrote writes",
    "de": "schrieb schrieben schreibt geschrieben",
    "nl": "schreef schrijft geschreven",
    "fr": "écrit ecrit",
    "es": "escribió escribio escribe escrito",
    "ca, gl": "escrit escriure missatge escribiu",
    "pt": "escreveu escreve",
    "it": "scritto scrive",
    "ro": "scris",
    "da, no, sv, is": "skrev skreiv skrifaði",
    "fi, et": "kirjoitti kirjutas",
    "lv, lt": "rakstīja rašė",
    "pl": "napisał napisała pisze nadesłał nadesłała",
    "cs, sk, sl": "napsal napsala napísal napísala napisal napisala",
    "hr, sr": "napisao написао написала",
    "hu": "írta írt",
    "el": "έγραψε",
    "bg, ru, uk, be": "написа написал написала пишет писал писала написав пише напісаў",
    "tr": "yazdı",
    "vi, id, ms": "viết menulis",
}
"""The verb that says `wrote`; of several words the last."""
WROTE_UNSPACED: dict[str, str] = {
    "zh": "写道 寫道 写于 寫於 来信",
    "ja": "のメール 書きました のメッセージ",
    "ko": "작성 쓴 썼습니다",
    "he, ar, fa": "כתב كتب كتابة نوشت",
    "th": "เขียน",
}
"""The same in scripts that put no spaces between words, or glue words to the verb."""
SAID = frozenset({"sent", "said", "says", "verzond"})
"""Verbs that clients use seldom and people often: they count less."""

BEFORE_DATE: dict[str, str] = {
    "en": "on|at|in message",
    "de": "am",
    "nl": "op",
    "fr": "le",
    "es, ca": "el",
    "pt, gl": "em|às|no dia|o",
    "it": "il|il giorno|in data",
    "ro": "în|pe|la",
    "da, no, sv": "den|på|kl",
    "pl": "w dniu|dnia",
    "cs, sk, sl, hr": "dne|dňa|dana|v|v v",
    "el": "στις|την",
    "bg, ru": "на|от",
    "vi, id": "vào|pada|pada tanggal",
    "zh": "在|於|于",
    "he, ar": "בתאריך|في|بتاريخ|على",
    "th": "เมื่อ",
}
WEEKDAYS: dict[str, str] = {
    "en": "mon|tue|wed|thu|fri|sat|sun",
    "de, nl": "mo|di|mi|do|fr|sa|so|ma|wo|vr|za|zo",
    "fr, es, it, ro": "lun|mar|mer|mié|mie|jeu|jue|gio|joi|ven|vie|vin|sam|sáb|sab|sâm|dim|dom|dum",
    "pt": "seg|ter|qua|qui|sex",
    "da, no, sv": "man|mån|tir|tis|ons|tor|fre|lør|lör|søn|sön",
    "fi": "ma|ti|ke|to|pe|la|su",
    "pl, cs, sk, hr": "pon|wt|śr|czw|pt|sob|niedz|po|út|st|čt|pá|so|ne|ut|št|pi|uto|sri|čet|pet|sub|ned",
    "ru, uk": "пн|вт|ср|чт|пт|сб|вс|нд|понед|вторн|сред|четв|пятн|субб|воскр",
    "tr": "pzt|sal|çar|per|cum|cmt|paz",
}
_MONTHS = (
    "jan|feb|fév|fev|mar|mär|mrt|apr|avr|abr|may|mai|maj|mei|mag|jun|juin|giu|jul|juil|lug|aug|août|ago|sep|set|"
    "oct|okt|out|ott|nov|dec|dez|déc|dic|styc|lut|kwi|cze|lip|sie|wrz|paź|lis|gru|led|úno|bře|dub|kvě|srp|zář|říj|pro|"
    "янв|фев|мар|апр|мая|июн|июл|авг|сен|окт|ноя|дек|січ|лют|бер|кві|тра|чер|лип|сер|вер|жов|лис|гру|"
    "tamm|helm|maal|huht|touk|kesä|hein|elok|syys|loka|marr|joul|oca|şub|nis|haz|tem|ağu|eyl|eki|kas|ara"
)


def _words(table: dict[str, str]) -> str:
    return "|".join(table.values())


_VERBS = frozenset(" ".join(WROTE.values()).split())
_UNSPACED_VERBS = re.compile("|".join(" ".join(WROTE_UNSPACED.values()).split()))
_TOKEN = re.compile(r"[^\W\d_]+")
_DAY = rf"(?:{_words(WEEKDAYS)})[^\W\d]{{0,9}}"
_DATED = rf"(?:{_DAY}[.,]{{0,2}}(?:\s|$)|(?:\S{{1,14}}\s+){{0,3}}\(?\d)"
_START = re.compile(
    rf"[\W_]{{0,8}}(?:\d|(?P<word>(?:{_words(BEFORE_DATE)})[\s,]+{_DATED}|(?:在|於|于)\s?\d|"
    rf"{_DAY}[.,]{{0,2}}\s.{{0,12}}\d))"
)
_INNER_WORDS = ("On ", "Am ", "Le ", "El ", "Il ", "Em ", "Op ", "Den ", "Dne ", "Dnia ", "W dniu ")
_INNER_START = re.compile(
    rf"(?:(?<=[\s.!?)>])|(?<=--))(?:{'|'.join(_INNER_WORDS)})\s*"
    rf"(?:\d|(?i:{_DAY}|(?:{_MONTHS})[^\W\d]{{0,7}})[.,]{{0,2}}\s.{{0,12}}\d)"
)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_DATE = re.compile(
    r"(?<!\d)\d{1,2}[./-]\d{1,2}[./-]\d{2}(?!\d)|\d{4}[年년]|"
    rf"(?<!\d)\d{{1,2}}\.?[\s-](?:{_MONTHS})|(?:{_MONTHS})[^\W\d]{{0,7}}\.?\s\d{{1,2}}(?!\d)"
)
_HOUR = re.compile(r"(?<![\d:.])\d{1,2}\s?[:.h]\s?\d{2}(?!\d|[./-]\d)")
_ZONE = re.compile(r"\b(?:gmt|utc)[+-]\d")
_ANGLED = re.compile(r"(?:[<(\[]|&lt;)\s?[^<>()\[\]]{1,90}@[^<>()\[\]]{2,90}(?:[>)\]]|&gt;)")
_BRACKET_END = re.compile(r"[>)\]]\s?[:：;]?$")
_FENCED = re.compile(r"[-_=*]{2,}.{2,200}\w\s?:?\s?[-_=*]{2,}$")


class Beginning(NamedTuple):
    at: int
    """Where in the line: 0, or behind words that a client glued the attribution to."""
    certainty: int
    """3: a date, with a weekday or the word before it; 2: an address and the verb; 1: a figure or an address."""


SURE = 3


def beginning(line: str) -> Beginning:
    """Where in `line` an attribution may begin, and how sure that is."""
    inner = _INNER_START.search(line) if any(word in line for word in _INNER_WORDS) else None
    if inner is not None and _TOKEN.search(line, 0, inner.start()):
        return Beginning(inner.start(), SURE)
    lowered = lower(line)
    found = _START.match(lowered)
    if found is not None and found["word"]:
        return Beginning(0, SURE)
    has_address = "@" in line and _ANGLED.search(line) is not None
    if has_address and _verb(lowered) is not None:
        return Beginning(0, 2)
    return Beginning(0, int(has_address or found is not None))


def may_end(line: str, *, before_quote: bool) -> bool:
    """Whether an attribution may end with `line`: a quick look, which most lines with a colon do not pass."""
    if not line.endswith(ENDS):
        return before_quote and _ZONE.search(lower(line)) is not None
    return before_quote or "@" in line or _verb(lower(line)) is not None


def is_attribution(candidate: str, *, before_quote: bool = False) -> bool:
    """Whether `candidate` (its lines joined) introduces a quote. `before_quote`: a marked quote follows."""
    if len(candidate) > MAX_LENGTH or not (before_quote or candidate.endswith(ENDS)):
        return False
    if candidate.endswith("-"):
        return _FENCED.match(candidate) is not None and _verb(lower(candidate)) is not None
    parts = Candidate(candidate, before_quote=before_quote)
    return any(all(getattr(parts, name) for name in rule) for rule in RULES)


def _verb(lowered: str) -> tuple[int, int] | None:
    """Where the verb stands in `lowered` that says `wrote`."""
    for token in _TOKEN.finditer(lowered):
        if token[0] in _VERBS:
            return token.span()
    found = None if lowered.isascii() else _UNSPACED_VERBS.search(lowered)
    return found.span() if found else None


RULES: tuple[tuple[str, ...], ...] = (
    # Ann <ann@reseller.example> wrote:
    ("colon", "wrote", "angled"),
    # On Mon, 6 May 2024 09:00 ann@reseller.example wrote:
    ("colon", "wrote", "address", "start", "date"),
    # On 06/05/2024 09:00, Ann Archer wrote:
    ("colon", "wrote", "named", "start", "date"),
    # Ann Archer wrote on 06/05/2024 09:00:
    ("colon", "wrote", "named", "hour", "date"),
    # 2024-05-06 9:00 GMT+02:00 Ann <ann@reseller.example>:
    ("colon", "address", "bracket", "start", "angled", "date"),
    ("colon", "said", "angled", "date"),
    # with the quote marked
    ("quote", "colon", "wrote", "brief"),
    ("quote", "colon", "wrote", "start"),
    ("quote", "colon", "wrote", "date"),
    ("quote", "colon", "said", "start"),
    ("quote", "colon", "hour", "date"),
    ("quote", "colon", "address", "date"),
    # without a colon
    ("verb_last", "address", "start", "hour", "angled", "date"),
    ("quote", "address", "bracket", "start", "angled", "date"),
    ("quote", "zone", "start", "hour", "date"),
)
"""What it takes to be an attribution, as names of what `Candidate` can tell; what costs most to tell comes last."""


class Candidate:
    """The joined lines of a possible attribution, and what speaks for it. Each is looked for when it is asked for."""

    def __init__(self, text: str, *, before_quote: bool) -> None:
        self.text = text
        self.lowered = lower(text)
        self.quote = before_quote
        """A marked quote follows."""
        self.colon = text.endswith(_COLONS)
        self.address = "@" in text

    @cached_property
    def verb(self) -> tuple[int, int] | None:
        return _verb(self.lowered)

    @property
    def wrote(self) -> bool:
        return self.verb is not None

    @cached_property
    def said(self) -> bool:
        return not SAID.isdisjoint(_TOKEN.findall(self.lowered))

    @cached_property
    def start(self) -> bool:
        """It begins with a date, a weekday, or a word that stands before them."""
        return _START.match(self.lowered) is not None

    @cached_property
    def date(self) -> bool:
        return _YEAR.search(self.lowered) is not None or _DATE.search(self.lowered) is not None

    @cached_property
    def hour(self) -> bool:
        return _HOUR.search(self.lowered) is not None

    @cached_property
    def zone(self) -> bool:
        return _ZONE.search(self.lowered) is not None

    @cached_property
    def angled(self) -> bool:
        """It holds an address in brackets."""
        return self.address and _ANGLED.search(self.lowered) is not None

    @cached_property
    def bracket(self) -> bool:
        """It ends with a bracket, with or without a colon."""
        return _BRACKET_END.search(self.lowered) is not None

    @cached_property
    def named(self) -> bool:
        """A name stands at the verb, and nothing else."""
        return self.verb is not None and _names_someone(self.text, *self.verb)

    @property
    def brief(self) -> bool:
        return len(self.text.split()) <= 5

    @property
    def verb_last(self) -> bool:
        return self.lowered.endswith("wrote")


_NOT_A_NAME = frozenset(
    "a ha hat heeft het volgende je ezt következőt użytkownik użytkownika пользователь používateľ am pm uhr gmt utc via"
    " from of de von van der den la di da del le om mailto".split()
)
_NOT_IN_A_NAME = frozenset(
    "the our my your his her their its we i you he she it they as what who that this us all one "
    "ihr ihre unser unsere mein meine dein euer sein wir ich sie er es das die ein eine was "
    "notre votre mon ma nos vos nous vous je tu il elle ils un une ce "
    "nuestro nuestra su mi yo usted ellos una nostro nostra vostro mio noi io lui lei "
    "onze uw mijn een wij ik hij zij".split()
)
"""What people put before a thing or a person that they tell of: `our admin wrote:`."""
_BETWEEN_DATE_AND_NAME = re.compile(r"[,\d]")
_MAX_NAME = 5


def _names_someone(candidate: str, start: int, end: int) -> bool:
    """Whether a name, and nothing else, stands between the date and the verb at `start`, or behind the verb."""
    before = _BETWEEN_DATE_AND_NAME.split(candidate[:start])[-1]
    words = _name_words(before) or _name_words(_BETWEEN_DATE_AND_NAME.split(candidate[end:].rstrip(":： "))[0])
    is_capital = bool(words) and words[0][0].upper() == words[0][0]
    return is_capital and len(words) <= _MAX_NAME and all(word.lower() not in _NOT_IN_A_NAME for word in words)


def _name_words(text: str) -> list[str]:
    words = (word.strip("\"'„“”«»()[]<>.;:") for word in text.split())
    return [word for word in words if word and word.lower() not in _NOT_A_NAME]
