"""The line that introduces a quote, as clients write it, and sentences of people that only look like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.message import join_spans
from mailflow.reading.attributions import RULES, WROTE, WROTE_UNSPACED, Candidate, beginning, is_attribution
from mailflow.reading.new_text import split

DESK = "Partner Desk <desk@vendor.example>"
BY_LANGUAGE: dict[str, tuple[str, ...]] = {
    "en": (
        f"On Mon, May 6, 2024 at 9:00 AM {DESK} wrote:",
        f"On 6 May 2024, at 09:00, {DESK} wrote:",
        "On 06/05/2024 09:00, Partner Desk wrote:",
        "On Tue, 2024-05-06 at 09:00 +0530, Partner Desk wrote:",
        f"On Monday, May 6, 2024 at 09:00:00 AM GMT+2, {DESK} wrote:",
        f"On Monday, May 6th, 2024 at 9:00 AM, {DESK} wrote:",
        '"Partner Desk" <desk@vendor.example> wrote on 06/05/2024 09:00:00 AM:',
        f"{DESK} wrote:",
        f"---- On Mon, 06 May 2024 09:00:00 +0200 {DESK} wrote ----",
        f"On Mon, 6 May 2024 09:00:00 +0200 {DESK} wrote",
        f"Monday, 6 May 2024, 9:00 AM +0200 from {DESK}:",
        f"9:00 AM, May 6, 2024, {DESK}:",
        "6 May 2024, 09:00 by <desk@vendor.example>:",
        f"2024-05-06 9:00 GMT+02:00 {DESK}:",
    ),
    "de": (
        f"Am Mo., 6. Mai 2024 um 09:00 Uhr schrieb {DESK}:",
        "Am 06.05.2024 um 09:00 schrieb Partner Desk:",
        f"{DESK} schrieb am Mo., 6. Mai 2024, 09:00:",
        f"Am 6. Mai 2024 09:00 hat {DESK} geschrieben:",
    ),
    "nl": (
        f"Op ma 6 mei 2024 om 09:00 schreef {DESK}:",
        f"Op 6 mei 2024 heeft {DESK} het volgende geschreven:",
        "Op 6 mei 2024 9:00 schreef Partner Desk het volgende:",
    ),
    "fr": (
        f"Le lun. 6 mai 2024 à 09:00, {DESK} a écrit :",
        "Le 06/05/2024 à 09:00, Partner Desk a écrit :",
        "- Le 2024-05-06 09:00, Partner Desk a écrit :",
    ),
    "es": (f"El lun, 6 may 2024 a las 9:00, {DESK} escribió:", "El 06/05/2024 a las 9:00, Partner Desk escribió:"),
    "ca, gl": (f"Missatge de {DESK} del dia dl., 6 de maig 2024 a les 9:00:", f"O 06/05/2024 9:00, {DESK} escribiu:"),
    "pt": (
        f"Em seg., 6 de mai. de 2024 às 09:00, {DESK} escreveu:",
        f"{DESK} escreveu (segunda, 6/05/2024 à(s) 09:00):",
        "Em 06/05/2024 09:00, Partner Desk escreveu:",
    ),
    "it": (
        f"Il giorno lun 6 mag 2024 alle ore 09:00 {DESK} ha scritto:",
        f"In data 6 maggio 2024 09:00:00 {DESK} ha scritto:",
        "Il 06/05/2024 09:00, Partner Desk ha scritto:",
    ),
    "ro": (f"În lun., 6 mai 2024 la 09:00, {DESK} a scris:",),
    "da, no, sv, is": (
        f"Den man. 6. maj 2024 kl. 09.00 skrev {DESK}:",
        f"man. 6. mai 2024 kl. 09:00 skrev {DESK}:",
        f"Den mån 6 maj 2024 kl 09:00 skrev {DESK}:",
        f"6. maj 2024 kl. 09.00 skrev {DESK}:",
        f"mán., 6. maí 2024 kl. 09:00 skrifaði {DESK}:",
    ),
    "fi, et": (
        "ma 6. toukok. 2024 klo 9.00 Partner Desk (<desk@vendor.example>) kirjoitti:",
        f"{DESK} kirjoitti 6.5.2024 kello 9.00:",
        f"Kuupäev E, 6. mai 2024 kell 09:00 kirjutas {DESK}:",
    ),
    "lv, lt": (
        "pirmd., 2024. g. 6. maijs, plkst. 09:00 — lietotājs Desk (<desk@vendor.example>) rakstīja:",
        f"2024-05-06, pr, 09:00 {DESK} rašė:",
    ),
    "pl": (
        f"pon., 6 maj 2024 o 09:00 {DESK} napisał(a):",
        f"W dniu 2024-05-06 09:00:39 użytkownik {DESK} napisał:",
        "W dniu 6.05.2024 o 09:00, Partner Desk pisze:",
        f"Dnia 6 maja 2024 09:00 {DESK} napisał(a):",
    ),
    "cs, sk, sl": (
        f"po 6. 5. 2024 v 9:00 odesílatel {DESK} napsal:",
        f"Dne 6. 5. 2024 v 9:00 {DESK} napsal(a):",
        f"po 6. 5. 2024 o 9:00 {DESK} napísal(a):",
        f"V V pon., 6. maj 2024 ob 09:00 je oseba {DESK} napisala:",
    ),
    "hr, sr": (
        f"pon, 6. svi 2024. u 09:00 {DESK} napisao je:",
        f"пон, 6. мај 2024. у 09:00 {DESK} је написао/ла:",
    ),
    "hu": (
        f"{DESK} ezt írta (időpont: 2024. máj. 6., H, 9:00):",
        "2024. 05. 06. 9:00 keltezéssel, Nagy Desk a következőt írta:",
    ),
    "el": (f"Στις Δευ 6 Μαΐ 2024 στις 9:00 π.μ., ο χρήστης {DESK} έγραψε:",),
    "bg, ru, uk, be": (
        f"На пн, 6.05.2024 г. в 9:00 {DESK} написа:",
        f"пн, 6 мая 2024 г. в 09:00, {DESK}:",
        f"Понедельник, 6 мая 2024, 9:00 +03:00 от {DESK}:",
        '06.05.2024, 09:00, "Desk" <desk@vendor.example>:',
        f"6 мая 2024 г., 9:00 пользователь {DESK} написал:",
        f"пн, 6 трав. 2024 р. о 09:00 {DESK} пише:",
    ),
    "tr": (f"{DESK}, 6 May 2024 Pzt, 09:00 tarihinde şunu yazdı:",),
    "vi, id, ms": (
        f"Vào Th 2, 6 thg 5, 2024 vào lúc 09:00 {DESK} đã viết:",
        f"Pada tanggal Sen, 6 Mei 2024 pukul 09.00 {DESK} menulis:",
    ),
    "zh": (
        f"{DESK} 于2024年5月6日周一 09:00写道：",
        f"{DESK} 於 2024年5月6日 週一 上午9:00寫道：",
        "在 2024-05-06 09:00:00，“Desk” <desk@vendor.example> 写道：",
    ),
    "ja": (
        f"2024年5月6日(月) 9:00 {DESK}:",
        "2024/05/06 9:00、Partner Desk <desk@vendor.example>のメール:",
    ),
    "ko": (
        f"2024년 5월 6일 (월) 오전 9:00, {DESK}님이 작성:",
        f"2024. 5. 6. 오전 9:00, {DESK} 작성:",
    ),
    "he, ar, fa": (
        "\u202bבתאריך יום ב׳, 6 במאי 2024 ב-9:00 מאת Desk\u200f <\u202adesk@vendor.example\u202c\u200f>:\u202c",
        f"في الاثنين، 6 مايو 2024 في 9:00 ص كتب {DESK}:",
    ),
    "th": (f"ในวันที่ จ. 6 พ.ค. 2024 เวลา 09:00 {DESK} เขียนว่า:",),
}
ATTRIBUTIONS = [attribution for attributions in BY_LANGUAGE.values() for attribution in attributions]
ANSWER = "The answer is 42.\nIs that enough?"
ORIGINAL = "Dear partner,\n\nwhat is the answer?\n\nKind regards\nPartner Desk\n+49 30 123456"
MARKED = "\n".join(f"> {line}".rstrip() for line in ORIGINAL.split("\n"))


def new(text: str) -> str:
    return join_spans(text, split(text).new)


def test_every_language_of_the_verbs_is_tried() -> None:
    assert BY_LANGUAGE.keys() == {*WROTE, *WROTE_UNSPACED}


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
@pytest.mark.parametrize("original", [ORIGINAL, MARKED], ids=["unmarked", "marked"])
def test_the_answer_above_a_quoted_mail_is_all_that_is_new(attribution: str, original: str) -> None:
    assert new(f"{ANSWER}\n\n{attribution}\n\n{original}") == ANSWER
    assert new(f"{ANSWER}\n{attribution}\n{original}") == ANSWER


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_the_answer_below_a_marked_quote_is_new(attribution: str) -> None:
    assert new(f"{attribution}\n{MARKED}\n\n{ANSWER}") == ANSWER


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
def test_a_quote_in_a_quote_is_out_as_well(attribution: str) -> None:
    assert new(f"{ANSWER}\n\n> {attribution}\n{MARKED}") == ANSWER


@pytest.mark.parametrize("attribution", [each for each in ATTRIBUTIONS if each.isascii() and " " in each[40:]])
@pytest.mark.parametrize("width", [60, 78])
def test_clients_wrap_attributions(attribution: str, width: int) -> None:
    """Broken at white space, as `format=fixed` text is (RFC 3676, 1.3)."""
    space = attribution.rfind(" ", 0, width)
    wrapped = f"{attribution[:space]}\n{attribution[space + 1 :]}"
    assert new(f"We need 42.\n\n{wrapped}\n\n{MARKED}") == "We need 42."


@pytest.mark.parametrize(
    "wrapped",
    [
        "On Nov 30, 2024, at 12:47 PM, Desk <\n416ffd3258d4d2fa4c85cfa4@vendor.example>\nwrote:",
        "Le lun. 6 mai 2024 à 09:00, Partner Desk <desk@vendor.example>\na écrit :",
        "Am Mo., 6. Mai 2024 um 09:00 Uhr schrieb Partner Desk <\ndesk@vendor.example>:",
        "W dniu 6 maja 2024 09:00 użytkownik Desk <desk@vendor.example>\nnapisał:",
        "Em 6 de maio de 2024 às 09:00:35, Partner Desk (\ndesk@vendor.example) escreveu:",
        "On Mon, 6 May 2024 09:00:00 +0900\nDesk <desk@vendor.example> wrote:",
        "On 6 May 2024, at 09:00, Desk <desk@vendor.example<\nmailto:desk@vendor.example>> wrote:",
    ],
)
def test_an_attribution_of_several_lines_without_marks(wrapped: str) -> None:
    assert new(f"We need 42.\n\n{wrapped}\n\n{ORIGINAL}") == "We need 42."


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("Yes please. On Mon, 6 May 2024 at 09:00, Desk wrote:", "Yes please."),
        ("yes On Wed, Apr 4, 2024 at 3:59 PM, desk@vendor.example wrote:", "yes"),
        ("Bis - dann--- Am 06.05.2024 um 09:00 schrieb Desk:", "Bis - dann"),
        ("All, two questions:-------- Original message --------From: Desk", "All, two questions:"),
    ],
)
def test_words_before_an_attribution_on_its_line_are_new(line: str, answer: str) -> None:
    assert new(f"{line}\n> old") == answer


def test_a_line_that_ends_before_the_attribution_is_new() -> None:
    """The attribution begins on the nearest line on which one may begin."""
    text = "On the plus side it works.\nOn Mon, 6 May 2024, Partner Desk wrote:\n> old"
    assert new(text) == "On the plus side it works."


@pytest.mark.parametrize(
    "text",
    [
        "On 6 May 2024 your colleague told us that he\nsaid:\nwe get the discount.",
        "On 6 May 2024 the portal said:\nError 403 forbidden\nWhat can we do?",
        "At 10:00 on 6 May 2024 our admin wrote:\nplease fix it, we cannot work.",
        "As ann@reseller.example wrote:\nwe should renew now.",
        "Please ship by 6 May 2024 to ann@reseller.example:\n50 seats\n20 seats",
        "2024-05-06 10:00 ERROR user@host.example:\nfailed to sync, what now",
        "Please add these users by Monday:\nann@reseller.example\nbob@reseller.example",
        "On my machine the log file wrote:\nfatal error",
        "He wrote on 6 May 2024 at 10:00:\nplease wait for the key",
        "I wrote: please renew. You wrote:\nno way.",
        "Le 6 mai nous avons écrit :\nla licence est expirée",
        "Am 6. Mai um 10:00 schrieb das Portal:\nFehler 403. Was tun?",
        "Ich habe am 6.5.2024 um 10:00 Uhr geschrieben:\nbitte Lizenz verlängern",
        "You said on 5 May 2024 at 10:00 to ann@reseller.example:\nwe get 20 percent",
        "The history:\n2024-01-15 14:30:25\n01/15/2024 at 2:30 PM\nthat is all",
    ],
)
def test_sentences_of_people_introduce_no_quote(text: str) -> None:
    assert new(text) == text


def test_rules_ask_only_for_what_can_be_told() -> None:
    candidate = Candidate("Partner Desk wrote:", before_quote=True)
    assert {name for rule in RULES for name in rule if not hasattr(candidate, name)} == set()


@given(st.text(max_size=200))
def test_any_line_can_be_asked(line: str) -> None:
    found = beginning(line)
    assert 0 <= found.at <= len(line)
    is_attribution(line, before_quote=True)


@given(
    st.sampled_from(ATTRIBUTIONS),
    st.lists(st.sampled_from(["We need 42.", "", "- ten seats", "Can you help?"]), min_size=1),
)
def test_an_appended_quote_changes_nothing(attribution: str, lines: list[str]) -> None:
    text = "\n".join(["We write to you today.", *lines])
    assert new(f"{text}\n\n{attribution}\n{MARKED}") == new(text)
    assert new(f"{text}\n\n{attribution}\n\n{ORIGINAL}") == new(text)
