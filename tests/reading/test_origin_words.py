"""Automatic answers without a header, by language, and the people who write of the same things."""

import pytest
from tests.reading.origin_mail import DESK, TEXT, origin

from mailflow.core.message import OriginKind
from mailflow.reading.origin import detect
from mailflow.reading.parse import parse

REPLIED, GENERATED = OriginKind.AUTO_REPLIED, OriginKind.AUTO_GENERATED


@pytest.mark.parametrize(
    "author",
    [
        "noreply@partner.example",
        "no-reply@partner.example",
        "no_reply@partner.example",
        "forms-receipts-noreply@partner.example",
        "noreply+1a2b@partner.example",
        "do-not-reply@partner.example",
        "donotreply@partner.example",
        "ne-pas-repondre@partner.example",
        "nao-responda@partner.example",
        "nicht-antworten@partner.example",
        "notifications@partner.example",
        "jira-alerts@partner.example",
        "wordpress@partner.example",
        "root@partner.example",
        "newsletter@partner.example",
        "partners-bounces@lists.example",
        "owner-partners@lists.example",
        "dse@docusign.net",
        "dse_na2@eu.docusign.net",
    ],
)
def test_an_address_of_a_machine_is_enough_unless_the_header_says_no(author: str) -> None:
    found = origin(author=author)
    assert (found.kind, found.evidence) == (GENERATED, f"From: {author}")
    assert origin("Auto-Submitted: no", author=author).kind is OriginKind.HUMAN


def test_an_empty_from_is_a_machines_and_a_missing_one_is_not() -> None:
    assert origin(author="<>").kind is GENERATED
    assert origin(author="Portal <>").kind is GENERATED
    content = b"Subject: NFR licence\r\n\r\nHow do we get one?"
    assert detect(parse(content), content, DESK).kind is OriginKind.HUMAN


@pytest.mark.parametrize(
    "author",
    [
        "Norbert Reply <norbert.reply@partner.example>",
        "Noreen Plymouth <noreen@partner.example>",
        "Albert Alert <albert@alerts.example>",
        "Roots Ltd <roots@partner.example>",
        "sales@docusign.com",
        "cronin@partner.example",
        "quote-request@partner.example",
    ],
)
def test_names_that_resemble_machines_are_people(author: str) -> None:
    assert origin(author=author).kind is OriginKind.HUMAN


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: NFR licence",
        "Automatic reply: out of office until 3 Jan",
        "Out of Office",
        "Out of office: Re: NFR licence",
        "Out of Office AutoReply: NFR licence",
        "Out of office until 3 January",
        "OOO: NFR licence",
        "[AUTO GENERATED] NFR licence",
        "Auto: Re: NFR licence",
        "Autoreply: NFR licence",
        "Abwesenheitsnotiz: NFR licence",
        "Automatische Antwort: NFR licence",
        "Réponse automatique : NFR licence",
        "Absence du bureau",
        "Respuesta automática: NFR licence",
        "Fuera de la oficina",
        "Resposta automática: NFR licence",
        "Risposta automatica: NFR licence",
        "Automatisch antwoord: NFR licence",
        "Autosvar: NFR licence",
        "Odpowiedź automatyczna: NFR licence",
        "[Automatyczna odpowiedź] NFR licence",
        "Automaattinen vastaus: NFR licence",
        "Automatická odpověď: NFR licence",
        "Otomatik yanıt: NFR licence",
        "Автоответ: NFR licence",
        "自動応答: NFR licence",
        "自动回复: NFR licence",
        "부재중: NFR licence",
        "[Ticket#4711] Your request has been received",
        "We have received your request",
        "Ihre Anfrage 4711 ist eingegangen",
        "Ticket created: NFR licence",
        "Read receipt: NFR licence",
        "complaint about message from 192.0.2.1",
        "Thank you for your message",
    ],
)
def test_subjects_of_automatic_answers_unless_the_header_says_no(subject: str) -> None:
    assert origin(subject=subject, text="Back soon.").kind is REPLIED
    assert origin("Auto-Submitted: no", subject=subject, text="Back soon.").kind is OriginKind.HUMAN


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: Automatic reply: NFR licence", TEXT),
        ("Fwd: Out of office", TEXT),
        ("Out of office hours support for partners?", TEXT),
        ("How do I set an automatic reply in the portal?", TEXT),
        ("Automatic replies from your portal", TEXT),
        ("Have you received my request?", TEXT),
        ("Undeliverable activation mails", TEXT),
        ("Abwesende Kollegin: neuer Zugang", TEXT),
        ("Form for NFR", TEXT),
        ("Automatic reply: Partner desk", "Back at work, forget the note below. How can we add a user to the portal?"),
        ("Out of office, in a way", "I type this on a train. Who sends us a price for 9 seats?"),
        ("Thank you for your message", "Thank you for your message. We would like to take 10 licences from 1 May."),
        ("Accepted: quote 12", "We accept the quote, the order follows."),
        ("Read: your guide", "I did read the guide and it does not say where to click."),
        ("Recall: my order", "The customer stepped back, so the order is void."),
    ],
)
def test_people_write_such_words_too(subject: str, text: str) -> None:
    assert origin(subject=subject, text=text).kind is OriginKind.HUMAN


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for your email. I am out of the office until Monday.",
        "Hello,\n\nI'm on annual leave until 14 August with no access to email. I will answer on my return.\n\nAda",
        "I am overseas this week. Please expect a delayed reply. In urgent cases please call the office.",
        "This mailbox is no longer read, as I left on 31 March. For licences write to office@partner.example.",
        "Ich bin derzeit im Urlaub.",
        "Sehr geehrte Damen und Herren,\nich bin bis zum 18.08. nicht im Büro. Dringend? Dann wenden Sie sich an Uwe.",
        "Merci pour votre message. Je suis en congés jusqu'au 28 août et ne lirai pas mes messages.",
        "Gracias por su mensaje. Estaré fuera de la oficina hasta el lunes con acceso limitado al correo.",
        "Obrigada pelo e-mail. Estou de férias até dia 5. Em caso de urgência contacte o escritório.",
        "Grazie per il messaggio. Sono fuori ufficio fino al 30 agosto. Per urgenze potete chiamare la sede.",
        "Bedankt voor uw bericht. Ik ben met vakantie tot 21 juli. Bij spoed kunt u mijn collega's bereiken.",
        "Dziękuję za wiadomość. Jestem na urlopie do 12 maja. W pilnych sprawach proszę o kontakt z biurem.",
        "Děkuji za zprávu. Do 3. března jsem mimo kancelář. V naléhavých případech volejte kolegu.",
        "Спасибо за письмо. Я нахожусь в отпуске до 3 марта. По срочным вопросам обращайтесь к коллеге.",
        "Tack för ditt mejl. Jag är på semester till 12 augusti. Vid brådskande ärenden kontakta växeln.",
        "Tak for din mail. Jeg er på ferie til den 12. august. Ved hastesager kontakt venligst kontoret.",
        "Takk for e-posten. Jeg er på ferie til 12. august og svarer når jeg er tilbake.",
        "Kiitos viestistäsi. Olen lomalla elokuuhun asti enkä lue sähköpostia.",
        "E-postanız için teşekkürler. 3 Mart tarihine kadar izindeyim. Acil durumlarda ofisi arayın.",
        "ご連絡ありがとうございます。8月16日まで不在にしております。17日以降順次ご返信いたします。",
        "感谢您的来信。我正在休假，如有急事请联系同事。",
        "현재 휴가 중이며 3월 3일에 복귀합니다. 급한 용무는 동료에게 연락 바랍니다.",
    ],
)
def test_away_notes_in_the_languages_of_partners(text: str) -> None:
    found = origin(subject="Re: NFR licence", text=text)
    assert found.kind is REPLIED
    assert found.evidence.startswith("the text says: ")
    assert origin("Auto-Submitted: no", subject="Re: NFR licence", text=text).kind is OriginKind.HUMAN


@pytest.mark.parametrize(
    "text",
    [
        "I will be out of office next week, please send the quote by Friday.",
        "I am out of the office until Monday. Could Bob get a login in the meantime?",
        "I'm on leave from tomorrow. The renewal for our bank is due on the 10th, 25 seats, Premium.",
        "Here is the signed agreement. I'm on leave from tomorrow; in urgent cases ask Bob.",
        "I am on vacation until Monday but we need 10 licences today.",
        "Ich bin ab morgen im Urlaub, bitte schicken Sie das Angebot an Herrn Meier.",
        "Ich bin nächste Woche nicht im Büro. Können Sie das Angebot heute noch senden?",
        "Je suis en congés la semaine prochaine, merci de m'envoyer le devis avant vendredi.",
        "Estaré de vacaciones la próxima semana, por favor envíen la cotización antes del viernes.",
        "Estou de férias na próxima semana, por favor enviem a cotação até sexta.",
        "Sono in ferie da lunedì, per favore mandatemi il preventivo entro venerdì.",
        "Ik ben volgende week met vakantie, graag de offerte voor vrijdag sturen.",
        "Od poniedziałku jestem na urlopie, proszę przesłać ofertę do piątku.",
        "Příští týden mám dovolenou, pošlete mi prosím nabídku do pátku.",
        "Я в отпуске со следующей недели, пришлите, пожалуйста, предложение до пятницы.",
        "Jag är på semester nästa vecka, skicka gärna offerten före fredag.",
        "Jeg er på ferie i næste uge, send venligst tilbuddet inden fredag.",
        "Olen lomalla ensi viikolla, lähettäisittekö tarjouksen ennen perjantaita.",
        "Gelecek hafta izindeyim, lütfen teklifi cuma gününe kadar gönderin.",
        "来週は不在にしておりますので、今週中に見積書をお送りください。",
        "我下周休假，请在周五之前把报价发给我。",
        "다음 주에 휴가 중이니 금요일까지 견적서를 보내 주세요.",
        "Wegen der Abwesenheit meines Kollegen brauche ich seinen Portalzugang.",
        "Bob is no longer with us, please remove his account and add me.",
    ],
)
def test_people_who_go_away_ask_for_something(text: str) -> None:
    assert origin(text=text).kind is OriginKind.HUMAN


@pytest.mark.parametrize(
    ("kind", "subject", "text"),
    [
        (GENERATED, "Deal 12", "This is an automated message, please do not reply.\n\nYour deal 12 expires.\n"),
        (GENERATED, "Deal 12", "Deal 12 expires soon.\n\nThis is an automatically generated email.\n"),
        (GENERATED, "Deal 12", "Deal 12 expires soon. Please do not reply to this email.\n"),
        (GENERATED, "Deal 12", "Diese E-Mail wurde automatisch erstellt.\n"),
        (GENERATED, "Deal 12", "Ceci est un message automatique, merci de ne pas y répondre."),
        (GENERATED, "Deal 12", "Este es un mensaje automático."),
        (GENERATED, "Deal 12", "Esta é uma mensagem automática."),
        (GENERATED, "Deal 12", "Questo è un messaggio automatico."),
        (GENERATED, "Deal 12", "Dit is een automatisch gegenereerd bericht."),
        (GENERATED, "Deal 12", "Ta wiadomość została wygenerowana automatycznie."),
        (GENERATED, "Deal 12", "Toto je automaticky generovaná zpráva."),
        (GENERATED, "Deal 12", "Это письмо создано автоматически."),
        (GENERATED, "Deal 12", "Detta är ett automatiskt meddelande."),
        (GENERATED, "Deal 12", "Tämä on automaattinen viesti."),
        (GENERATED, "Deal 12", "Bu otomatik olarak oluşturulmuş bir mesajdır."),
        (GENERATED, "Deal 12", "このメールは自動送信です。"),
        (GENERATED, "Deal 12", "此邮件由系统自动发送，请勿直接回复。"),
        (GENERATED, "Deal 12", "본 메일은 발신 전용입니다."),
        (REPLIED, "Re: deal 12", "Your request has been received. Ticket number: 4711.\n"),
        (REPLIED, "Re: deal 12", "We have received your message and will respond within 24 hours."),
        (REPLIED, "Re: deal 12", "Ihre Anfrage ist bei uns eingegangen. Ihre Ticketnummer ist 4711."),
        (REPLIED, "Re: deal 12", "Hemos recibido su solicitud. El número de caso es 4711."),
        (REPLIED, "Re: deal 12", "お問い合わせを受け付けました。受付番号：4711。"),
        (REPLIED, "Re: deal 12", "Your message is being held. To have it delivered, please click https://a.example/1"),
        (REPLIED, "Read: deal 12", "Your message\n\n  To: Ada\n  Subject: deal 12\n\nwas read on 12 September 09:14."),
        (REPLIED, "Accepted: deal 12", "Ada has accepted this invitation.\nWhen: Thursday 14:00"),
        (REPLIED, "Recall: deal 12", 'The sender would like to recall the message "deal 12".'),
    ],
)
def test_texts_of_programs(kind: OriginKind, subject: str, text: str) -> None:
    assert origin(subject=subject, text=text).kind is kind


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Fwd: deal 12", "Now?\n\n---------- Forwarded message ---------\nThis is an automated message.\n"),
        ("Deal 12", "I got a mail that says it is automated. Where do I answer?\n"),
        ("Tickets", "Your request has been received by my colleague.\n"),
        ("Quote", "Please do not reply to this mail but to Bob. We need 10 licences for him."),
        ("Contact", "This mailbox is not monitored. Please change our main contact to Bob."),
        ("Which text?", "Automatic reply:\nwe are closed\n\nWhere in the portal do we set such a text?"),
        ("Ticket", "We have received your message with ticket number 4711, but the link in it is dead."),
        ("Case 4711", "The portal said that my request was received, case number 4711, and since then silence. Why?"),
        ("Accepted: demo", "Ada has accepted this invitation. Before that, can you send us the price?"),
    ],
)
def test_people_who_speak_of_programs(subject: str, text: str) -> None:
    assert origin(subject=subject, text=text).kind is OriginKind.HUMAN
