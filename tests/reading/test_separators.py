"""Marker lines, ticket systems' lines and header blocks, in each language of the tables."""

import pytest

from mailflow.core.message import join_spans
from mailflow.reading.new_text import split
from mailflow.reading.separators import (
    ABOVE,
    BEGIN_FORWARD,
    FORWARDED,
    LABELS,
    ORIGINAL,
    Marker,
    glued_marker,
    header_block,
    header_label,
    marker,
)

ANSWER = "We need fifty seats."
OLD = "How many seats do you need?\n\nKind regards\nPartner Desk"


def new(text: str) -> str:
    return join_spans(text, split(text).new)


MARKERS: dict[str, str] = {
    "en": "Original Message",
    "de": "Ursprüngliche Nachricht",
    "nl": "Oorspronkelijk bericht",
    "fr": "Message d'origine",
    "es, ca, gl": "Mensaje original",
    "pt, it, ro": "Messaggio originale",
    "da, no": "Oprindelig besked",
    "sv": "Ursprungligt meddelande",
    "fi, et": "Alkuperäinen viesti",
    "pl": "Wiadomość oryginalna",
    "cs, sk, sl, hr": "Původní zpráva",
    "hu": "Eredeti üzenet",
    "el, bg": "Αρχικό μήνυμα",
    "ru, uk": "Исходное сообщение",
    "tr": "Özgün İleti",
    "he, ar": "הודעה מקורית",
    "vi, id": "Thư gốc",
    "ja, zh, ko": "原始邮件",
}
FORWARD_MARKERS: dict[str, str] = {
    "en": "Forwarded message",
    "de": "Weitergeleitete Nachricht",
    "nl": "Doorgestuurd bericht",
    "fr": "Message transféré",
    "es, ca, gl": "Mensaje reenviado",
    "pt, it, ro": "Mensagem encaminhada",
    "da, no": "Videresendt meddelelse",
    "sv": "Vidarebefordrat meddelande",
    "fi, et": "Välitetty viesti / Fwd.Msg",
    "pl": "Treść przekazanej wiadomości",
    "cs, sk, sl, hr": "Přeposlaná zpráva",
    "hu": "Továbbított üzenet",
    "ru, uk": "Пересылаемое сообщение",
    "tr": "İletilmiş Mesaj",
    "ja, zh, ko": "转发邮件",
}
FORWARD_BEGINS: dict[str, str] = {
    "en": "Begin forwarded message:",
    "de": "Anfang der weitergeleiteten Nachricht:",
    "nl": "Begin doorgestuurd bericht:",
    "fr": "Début du message réexpédié :",
    "es": "Inicio del mensaje reenviado:",
    "pt, it, ro": "Inizio messaggio inoltrato:",
    "da, no, sv": "Start på videresendt besked:",
    "fi": "Välitetty viesti alkaa:",
    "pl": "Początek przekazywanej wiadomości:",
    "cs, sk, hr": "Začátek přeposílané zprávy:",
    "hu": "Továbbított levél kezdete:",
    "ru, uk": "Начало переадресованного сообщения:",
    "tr": "İleti başlangıcı:",
    "ja, zh": "転送されたメッセージ:",
}
TICKET_LINES: dict[str, str] = {
    "en": "##- Please type your reply above this line -##",
    "de": "##- Bitte geben Sie Ihre Antwort oberhalb dieser Zeile ein -##",
    "nl": "##- Typ uw antwoord boven deze regel -##",
    "fr": "##- Veuillez saisir votre réponse au-dessus de cette ligne -##",
    "es": "##- Por favor, escriba su respuesta por encima de esta línea -##",
    "pt": "##- Digite a sua resposta acima desta linha -##",
    "it": "##- Scrivi la tua risposta sopra questa riga -##",
    "da, no": "##- Skriv venligst dit svar over denne linje -##",
    "sv": "----- Svara ovanför denna rad -----",
    "fi": "----- Vastaa tämän rivin yläpuolelle -----",
    "pl": "##- Wpisz odpowiedź powyżej tej linii -##",
    "cs, sk": "##- Napište odpověď nad tento řádek -##",
    "hu": "##- Kérjük, e sor fölé írja válaszát -##",
    "ru, uk": "##- Введите ответ выше этой строки -##",
    "tr": "##- Lütfen yanıtınızı bu satırın üstüne yazın -##",
    "ja, zh, ko": "##- この行より上に返信を入力してください -##",
}


@pytest.mark.parametrize(
    ("samples", "table"),
    [(MARKERS, ORIGINAL), (FORWARD_MARKERS, FORWARDED), (FORWARD_BEGINS, BEGIN_FORWARD), (TICKET_LINES, ABOVE)],
    ids=["original", "forwarded", "begin forward", "above"],
)
def test_every_language_of_the_tables_is_tried(samples: dict[str, str], table: dict[str, str]) -> None:
    assert samples.keys() == table.keys()


@pytest.mark.parametrize("words", MARKERS.values())
@pytest.mark.parametrize("fenced", ["-----{}-----", "-------- {} --------", "*----- {} -----*", "______{}______"])
def test_what_follows_an_original_message_is_not_new(words: str, fenced: str) -> None:
    assert marker(fenced.format(words)) is Marker.ORIGINAL
    assert new(f"{ANSWER}\n\n{fenced.format(words)}\n{OLD}") == ANSWER


@pytest.mark.parametrize("words", MARKERS.values())
def test_the_words_without_a_fence_are_a_persons(words: str) -> None:
    text = f"{ANSWER}\n{words}\nis what we call it.\n-- {words}\nand so on."
    assert new(text) == text


@pytest.mark.parametrize(
    "line", [*(f"-------- {words} --------" for words in FORWARD_MARKERS.values()), *FORWARD_BEGINS.values()]
)
def test_a_forward_is_new_to_its_end_and_the_signature_above_is_not(line: str) -> None:
    forward = f"{line}\nFrom: Carl <carl@customer.example>\nSubject: key\n\nMy key is lost.\n\nThanks,\nCarl"
    assert new(f"{ANSWER}\n\n{forward}") == f"{ANSWER}\n\n{forward}"
    assert new(f"{ANSWER}\n\nRegards,\nAnn\n\n{forward}") == f"{ANSWER}\n{forward}"


@pytest.mark.parametrize(
    "line", [*TICKET_LINES.values(), "Reply above this line.", "--- Reply above this line ---", "Previous Replies"]
)
def test_what_stands_below_a_ticket_systems_line_is_not_new(line: str) -> None:
    assert marker(line) is Marker.REPLY_ABOVE
    assert new(f"{ANSWER}\n\n{line}\n\n{OLD}") == ANSWER


@pytest.mark.parametrize(
    "line",
    [
        "Our products above this line of the list cost more",
        "The reply above this line was wrong, so we will reply below",
        "we will reply above this",
    ],
)
def test_sentences_about_lines_are_new(line: str) -> None:
    text = f"{ANSWER}\n{line}\nand so on."
    assert new(text) == text


BLOCKS = [
    "From: Desk <desk@vendor.example>\nSent: Monday, May 6, 2024 9:00 AM\nTo: Ann\nSubject: RE: seats",
    "From: Desk <desk@vendor.example>\nReply-To: x\nDate: Monday, 6 May 2024 at 09:00\nTo: Ann\nSubject: seats",
    "*From:* Desk [mailto:\ndesk@vendor.example]\n*Sent:* Monday, May 6, 2024 9:00 AM\n*To:* Ann",
    "**From:** Desk\n**Sent:** 6 May 2024 09:00\n**To:** Ann\n**Subject:** seats",
    "From:   Desk/Vendor\nTo:     Ann/Reseller@Reseller\nDate:   06.05.2024 09:00\nSubject:        seats",
    "Date: Mon, 6 May 2024 09:00:00 +0200 From: desk@vendor.example To: Archer, Ann Subject: seats",
    "Date: Mon, 6 May 2024 09:00:00 +0200\nTo: ann@reseller.example",
    "Von: Desk <desk@vendor.example>\nGesendet: Montag, 6. Mai 2024 09:00\nAn: Ann\nBetreff: AW: Plätze",
    "Van: Desk\nVerzonden: maandag 6 mei 2024 09:00\nAan: Ann\nOnderwerp: plaatsen",
    "De : Desk\nEnvoyé : lundi 6 mai 2024 09:00\nÀ : Ann\nObjet : places",
    "Message du : 06/05/2024 09:00\nDe : Desk <desk@vendor.example>\nA : Ann\nCopie à : \nSujet : places",
    "De: Desk\nEnviado el: lunes, 6 de mayo de 2024 9:00\nPara: Ann\nAsunto: plazas",
    "De: Desk\nEnviada em: segunda-feira, 6 de maio de 2024 09:00\nPara: Ann\nAssunto: lugares",
    "Da: Desk\nInviato: lunedì 6 maggio 2024 09:00\nA: Ann\nOggetto: posti",
    "De la: Desk\nTrimis: luni, 6 mai 2024 09:00\nCătre: Ann\nSubiect: locuri",
    "Fra: Desk\nSendt: 6. maj 2024 09:00\nTil: Ann\nEmne: pladser",
    "Från: Desk\nSkickat: den 6 maj 2024 09:00\nTill: Ann\nÄmne: platser",
    "Lähettäjä: Desk\nLähetetty: maanantai 6. toukokuuta 2024 9.00\nVastaanottaja: Ann\nAihe: paikat",
    "Od: Desk\nWysłano: poniedziałek, 6 maja 2024 09:00\nDo: Ann\nTemat: miejsca",
    "Od: Desk\nOdesláno: pondělí 6. května 2024 9:00\nKomu: Ann\nPředmět: místa",
    "Od: Desk\nOdoslané: pondelok 6. mája 2024 9:00\nKomu: Ann\nPredmet: miesta",
    "Feladó: Desk\nElküldve: 2024. május 6. 9:00\nCímzett: Ann\nTárgy: helyek",
    "От: Desk\nОтправлено: 6 мая 2024 г. 9:00\nКому: Ann\nТема: места",
    "Від: Desk\nВідправлено: 6 травня 2024 р. 9:00\nКому: Ann\nТема: місця",
    "Kimden: Desk\nGönderildi: 6 Mayıs 2024 Pazartesi 09:00\nKime: Ann\nKonu: koltuk",
    "מאת: Desk\nנשלח: יום שני 06 מאי 2024 09:00\nאל: Ann\nנושא: מושבים",
    "من: Desk\nتم الإرسال: 6 مايو 2024\nإلى: Ann\nالموضوع: مقاعد",
    "差出人: Desk\n送信日時: 2024年5月6日\n宛先: Ann\n件名: x",
    "发件人： Desk\n发送时间： 2024-05-06 09:00\n收件人： ann\n主题： x",
    "寄件者: Desk\n寄件日期: 2024年5月6日\n收件者: Ann\n主旨: x",
    "보낸 사람: Desk\n보낸 날짜: 2024년 5월 6일\n받는 사람: Ann\n제목: x",
]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("rule", ["", "________________________________\n", "-----Original Message-----\n"])
def test_what_follows_a_header_block_is_not_new(block: str, rule: str) -> None:
    assert header_block(block.split("\n"), 0) == block.count("\n") + 1
    assert new(f"{ANSWER}\n\n{rule}{block}\n\n{OLD}") == ANSWER


@pytest.mark.parametrize(
    "text",
    [
        "Our trip:\nFrom: Berlin\nTo: Munich\nDate: 6 May 10:30\n\nPlease book.",
        "Date: 6 May\nSeats: 50\nProduct: Premium\n\nPlease quote.",
        "It comes from: our database, not\nFrom: external sources.",
        "Cc: please add my boss\nFrom: now on, always.",
        "To: be or not to be\nthat is the question",
    ],
)
def test_lists_of_people_are_no_header_block(text: str) -> None:
    assert new(text) == text


def test_a_lone_sender_above_a_marked_quote_introduces_it() -> None:
    assert new(f"{ANSWER}\n\n_____________\nFrom: desk@vendor.example\n\n> old\n\nAnn") == f"{ANSWER}\nAnn"


def test_labels_are_unambiguous() -> None:
    words = [word for row in LABELS.values() for word in row.split("|")]
    assert len(words) == len(set(words))
    assert {header_label(f"{word.title()}: x") for word in words} <= set(LABELS)


def test_a_marker_whose_line_ends_were_lost() -> None:
    assert glued_marker("Two questions:-------- Original message --------From: Desk") == (14, Marker.ORIGINAL)
    assert glued_marker("See below ---------- Forwarded message ---------From: Carl") == (10, Marker.FORWARDED)
    assert glued_marker("a --- b --- original message") is None
