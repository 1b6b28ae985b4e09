"""Greetings, closings, cards, phone footers and legal notices: what of them is new, in each language of the tables."""

import pytest

from mailflow.core.message import join_spans
from mailflow.reading.new_text import split
from mailflow.reading.phrases import CLOSINGS, DISCLAIMERS, GREETINGS, SENT_FROM
from mailflow.reading.signatures import is_banner, is_closing, is_disclaimer, is_greeting, is_prose, is_sent_from

TEXT = "We need fifty seats for the new team."


def new(text: str) -> str:
    return join_spans(text, split(text).new)


def content(text: str) -> str:
    return join_spans(text, split(text).content)


CLOSED: dict[str, tuple[str, ...]] = {
    "en": ("Kind regards,", "With best wishes", "Thanks a million!", "Thank you & Regards,", "Respectfully yours,"),
    "de": ("Mit freundlichen Grüßen", "Viele Grüße aus Hamburg", "Danke & Gruß", "MfG", "Herzlichen Dank im Voraus!"),
    "nl": ("Met vriendelijke groet,", "Groet / regards,", "Alvast bedankt,"),
    "fr": ("Cordialement,", "Salutations distinguées", "Merci d'avance", "Bien à vous,"),
    "es": ("Un saludo cordial,", "Gracias y un saludo,", "Atentamente,", "Un abrazo,"),
    "pt": ("Atenciosamente,", "Com os melhores cumprimentos,", "Muito obrigado,"),
    "it": ("Cordiali saluti,", "Distinti saluti", "Grazie mille"),
    "ro": ("Cu stimă,", "Mulțumesc anticipat"),
    "da, no": ("Med venlig hilsen", "Vennlig hilsen", "Mvh", "Kh", "På forhånd tak"),
    "sv": ("Med vänliga hälsningar", "Vänligen,", "Tack på förhand"),
    "fi, et": ("Ystävällisin terveisin", "Parhain terveisin,", "Lugupidamisega"),
    "pl": ("Z poważaniem", "Serdecznie pozdrawiam,", "Z wyrazami szacunku", "Z góry dziękuję", "Łączę pozdrowienia"),
    "cs, sk": ("S pozdravem", "S přátelským pozdravem,", "Předem děkuji", "S úctou", "S pozdravom"),
    "hu": ("Üdvözlettel,", "Tisztelettel", "Köszönöm,"),
    "hr, sr, sl": ("S poštovanjem", "Lijep pozdrav,", "LP"),
    "lt, lv": ("Pagarbiai", "Ar cieņu,"),
    "el": ("Με εκτίμηση,",),
    "ru, uk, bg": ("С уважением,", "Заранее спасибо", "З повагою,", "Поздрави,"),
    "tr": ("Saygılarımla,", "İyi çalışmalar dilerim,", "Teşekkürler", "Kolay gelsin"),
    "he, ar": ("בברכה,", "مع خالص التحية"),
    "vi, id, th": ("Trân trọng,", "Terima kasih,", "ขอบคุณครับ"),
    "ja": ("よろしくお願いいたします。", "何卒宜しくお願い申し上げます。", "以上、よろしくお願いします。", "敬具"),
    "zh": ("此致", "谢谢！", "顺祝商祺", "祝好", "謝謝您"),
    "ko": ("감사합니다.", "좋은 하루 되세요", "수고하세요."),
}
SENT: dict[str, tuple[str, ...]] = {
    "en": (
        "Sent from my iPhone",
        "Get Outlook for iOS<https://aka.example/o0>",
        "(sent from a phone)",
        "From my iPhone 6",
    ),
    "de": ("Von meinem iPhone gesendet", "Von meinem/meiner Galaxy gesendet", "Gesendet mit der GMX App"),
    "nl": ("Verstuurd vanaf mijn iPad", "Verzonden met Outlook"),
    "fr": ("Envoyé de mon iPhone", "Télécharger Outlook pour Android<https://aka.example/g>"),
    "es": ("Enviado desde mi iPhone", "Obtener Outlook para iOS"),
    "pt": ("Enviado do meu iPhone", "Obter o Outlook para Android"),
    "it": ("Inviato da iPhone", "Ottieni Outlook per iOS"),
    "ro": ("Trimis de pe iPhone-ul meu",),
    "da, no": ("Sendt fra min iPhone", "Hent Outlook til iOS"),
    "sv": ("Skickat från min iPhone", "Hämta Outlook för Android"),
    "fi, et": ("Lähetetty iPhonesta", "Hanki Outlook for Android"),
    "pl": ("Wysłane z iPhone'a", "Pobierz aplikację Outlook dla systemu iOS"),
    "cs, sk": ("Odesláno z iPhonu", "Odoslané z iPhonu"),
    "hu": ("Az iPhone készülékemről küldve",),
    "hr, sr, sl": ("Poslano s mog iPhonea",),
    "ru, uk, bg": ("Отправлено с iPhone", "Отправлено из Mail.ru для Android", "Надіслано з iPhone"),
    "tr": ("iPhone'umdan gönderildi",),
    "he, ar": ("נשלח מה-iPhone שלי",),
    "ja": ("iPhoneから送信",),
    "zh": ("发自我的iPhone", "從我的 iPhone 傳送", "从我的 iPhone 发送"),
    "ko": ("나의 iPhone에서 보냄", "내 Galaxy에서 보냄"),
}
GREETED: dict[str, tuple[str, ...]] = {
    "en": ("Hi team,", "Dear Ms Weber,", "Good morning!"),
    "de": ("Sehr geehrte Frau Weber,", "Hallo zusammen,", "Moin,"),
    "nl": ("Beste collega,", "Hoi,"),
    "fr": ("Bonjour,", "Chers collègues,"),
    "es": ("Hola,", "Estimados señores:", "Buenos días,"),
    "pt": ("Olá,", "Prezados,", "Boa tarde,"),
    "it": ("Buongiorno,", "Gentile Supporto,"),
    "ro": ("Bună ziua,",),
    "da, no, sv": ("Hej,", "Kære support,", "God morgen,"),
    "fi": ("Hei,", "Hyvä vastaanottaja,"),
    "pl": ("Dzień dobry,", "Szanowni Państwo,"),
    "cs, sk": ("Dobrý den,", "Vážení,", "Ahoj,"),
    "hu": ("Tisztelt Ügyfélszolgálat!", "Kedves Kollégák,"),
    "hr, sr, sl": ("Poštovani,", "Dobar dan,"),
    "ru, uk, bg": ("Здравствуйте,", "Добрый день!", "Уважаемые коллеги,"),
    "tr": ("Merhaba,", "Sayın Yetkili,"),
    "he, ar": ("שלום,", "مرحبا،"),
    "ja": ("お世話になっております。", "ご担当者様"),
    "zh": ("您好，", "尊敬的王先生："),
    "ko": ("안녕하세요,", "안녕하십니까."),
}
NOTICES: dict[str, tuple[str, ...]] = {
    "en": (
        "This e-mail is confidential and intended for the addressee.",
        "Confidentiality notice",
        "Registered office: X",
    ),
    "de": ("Diese E-Mail enthält vertrauliche Informationen.", "Geschäftsführer: A. Weber", "Amtsgericht Köln HRB 1"),
    "nl": ("Dit bericht is vertrouwelijk.",),
    "fr": ("Ce message et ses pièces jointes sont confidentiels.",),
    "es": ("Este mensaje contiene información confidencial.", "Aviso legal: este correo"),
    "pt": ("Esta mensagem pode conter informação confidencial.",),
    "it": ("Le informazioni contenute in questo messaggio sono riservate.",),
    "da, no, sv": ("Denne e-mail kan indeholde fortrolige oplysninger.",),
    "fi": ("Tämä viesti on luottamuksellinen.",),
    "pl": (
        "Niniejsza wiadomość jest poufna i przeznaczona wyłącznie dla adresata.",
        "Treść tej wiadomości zawiera informacje przeznaczone tylko dla adresata.",
        "Administratorem Państwa danych osobowych jest Reseller Example sp. z o.o.",
    ),
    "cs, sk": ("Tento e-mail je určen výhradně adresátovi a může být důvěrný.", "Tato zpráva je důvěrná."),
    "hu": ("Jelen üzenet bizalmas információt tartalmaz.",),
    "ru, uk": ("Это сообщение содержит конфиденциальную информацию.",),
    "tr": ("Bu e-posta ve ekleri gizli bilgiler içerebilir.", "Yasal Uyarı: bu mesaj"),
    "ja": ("このメールには機密情報が含まれている場合があります。", "【免責事項】"),
    "zh": ("本邮件及其附件含有保密信息，仅限于收件人使用。", "免责声明：", "此電子郵件可能含有機密資訊。"),
    "ko": (
        "본 메일은 수신인만을 위한 것이며 기밀 정보를 포함할 수 있습니다.",
        "이 전자우편은 비밀 정보를 담고 있습니다.",
    ),
}


@pytest.mark.parametrize(
    ("samples", "table"),
    [(CLOSED, CLOSINGS), (SENT, SENT_FROM), (GREETED, GREETINGS), (NOTICES, DISCLAIMERS)],
    ids=["closings", "sent from", "greetings", "disclaimers"],
)
def test_every_language_of_the_tables_is_tried(samples: dict[str, tuple[str, ...]], table: dict[str, str]) -> None:
    assert samples.keys() == table.keys()


def each(samples: dict[str, tuple[str, ...]]) -> list[str]:
    return [sample for group in samples.values() for sample in group]


@pytest.mark.parametrize("closing", each(CLOSED))
@pytest.mark.parametrize("card", ["", "\nAnn Archer", "\n\nAnn Archer\nSales Engineer | Reseller Example\n+1 555 0100"])
def test_a_closing_and_the_card_below_it_are_not_new(closing: str, card: str) -> None:
    assert is_closing(closing)
    assert new(f"{TEXT}\n\n{closing}{card}") == TEXT


@pytest.mark.parametrize("footer", each(SENT))
def test_the_footer_of_a_phone_is_not_new(footer: str) -> None:
    assert is_sent_from(footer)
    assert new(f"{TEXT}\n\nAnn\n\n{footer}") == f"{TEXT}\n\nAnn"


@pytest.mark.parametrize("greeting", each(GREETED))
def test_a_greeting_is_new_and_not_content(greeting: str) -> None:
    assert is_greeting(greeting)
    assert new(f"{greeting}\n\n{TEXT}") == f"{greeting}\n\n{TEXT}"
    assert content(f"{greeting}\n\n{TEXT}") == TEXT


@pytest.mark.parametrize("notice", each(NOTICES))
def test_a_legal_notice_is_not_content_and_goes_with_the_signature(notice: str) -> None:
    assert is_disclaimer(notice)
    assert content(f"{TEXT}\n\n{notice}\nMore law.") == TEXT
    assert new(f"{TEXT}\n\nRegards,\nAnn\n\n{notice}\nMore law.") == TEXT


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nSteve Archer              Give me a lever that is long enough\nReseller        and I can move the world.",
        "--\nAnn Archer\nReseller Example",
        "Regards,\nVikram C.",
        "Mit freundlichen Grüßen\ni. A. Renate Weber",
        "Meilleures salutations,\nClarisse Archer, comptable",
        "Cheers 🎉\nSarah\n\n—————\nSarah Archer\n📧 sarah@reseller.example\n📱 +1 555-0123",
        "敬具\n\n━━━━━━━━\n株式会社リセラー 山田\nTEL: 03-1234-5678\n━━━━━━━━",
        "_______________________________________________\npartners mailing list\npartners@lists.example",
        "Best regards,\nAnn\n\n--\nAnn Archer\nSenior Developer\nReseller Example\n\nSent from my iPhone",
    ],
)
def test_signatures_of_many_forms(signature: str) -> None:
    assert new(f"{TEXT}\n\n{signature}") == TEXT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{TEXT}\n\nRegards,\nAnn\n\nPS: by Friday", f"{TEXT}\nPS: by Friday"),
        (f"{TEXT}\n\nRegards,\nAnn\n\nCan you also send the list?", f"{TEXT}\nCan you also send the list?"),
        (
            f"{TEXT}\n\nGrüße\nAnn\n\nBitte verlängern Sie auch die Lizenz.",
            f"{TEXT}\nBitte verlängern Sie auch die Lizenz.",
        ),
        (f"{TEXT}\n\nAnn\nSent from my iPhone\n\nPS: by Friday\n\nThanks,\nAnn", f"{TEXT}\n\nAnn\nPS: by Friday"),
    ],
)
def test_sentences_below_a_signature_are_new(text: str, expected: str) -> None:
    assert new(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Price list\n\n-----\nPremium 50\nUltimate 20",
        "Hi Ann,\n\nThank you.\n\nOur new address: Hauptstr. 5, Berlin",
        "We moved.\nThanks\nNew address: Hauptstr. 5",
        "Question one is the price.\n--\nQuestion two: can you send the list?",
        "First part of the answer.\n\n________________\n\nThis is the second part of the answer.",
        "## Key points\n----\n\n1. faster\n2. smaller\n\n----\n\nThe dashes above are no signature.",
        "Please see below:\n---\nCustomer: Acme\nSeats: 50\n---\nCan you register it?",
        "Please send the list.\nThanks\n\nPremium, 50 seats\nUltimate, 20 seats",
        "Please renew.\nThanks\nI agree.",
        "Regards to the team.\n5 seats please",
        "Guten Tag,\nDanke.\nBitte 5 Plätze für Muster AG",
        "Two documents were missing.\nSent from our warehouse on Friday",
        "It went out.\nSent by courier on Monday",
        "with regards to the payment\nAs regards the timeline we are late",
        "Because of:\n-- the first point\n-- the second point",
        "We need:\n- ten\n- Premium",
        "Header of a report\n---------------------\ndata row 1\ndata row 2",
    ],
)
def test_what_only_looks_like_a_signature_is_new(text: str) -> None:
    assert new(text) == text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Can you help?", True),
        ("Please cancel order 4711 for us as well.", True),
        ("New address: Hauptstr. 5", True),
        ("来月末までにご返信いただけますと幸いです。", True),
        ("Ann Archer", False),
        ("Sales Engineer | Reseller Example", False),
        ("Tel: +49 30 123456", False),
        ("Mobile: 0170 1234567", False),
        ("Example GmbH, Am Markt 1, 20095 Hamburg", False),
    ],
)
def test_what_tells_something(line: str, expected: bool) -> None:
    assert is_prose(line) is expected


@pytest.mark.parametrize(
    "banner",
    [
        "CAUTION: This email originated from outside of the organization. Do not click links.",
        "[EXTERNAL EMAIL] Be careful.",
        "Achtung: Diese E-Mail kommt von einem externen Absender.",
        "You don't often get email from x. This message was sent from outside the company.",
    ],
)
def test_a_gateways_warning_is_new_and_not_content(banner: str) -> None:
    assert is_banner(banner)
    assert content(f"{banner}\n\n{TEXT}") == TEXT
    assert new(f"{banner}\n\n{TEXT}") == f"{banner}\n\n{TEXT}"


def test_a_persons_warning_is_content() -> None:
    assert not is_banner("Warning: we get an error message.")
