"""No answer promises, in whatever language it is (D3)."""

import pytest

from mailflow.core.promises import AMOUNT, APPROVAL, PROMISES, TIME

PROMISED = [
    ("en", APPROVAL, "Your license will be issued."),
    ("en", AMOUNT, "You get 20 % off."),
    ("en", TIME, "You hear from us within two days."),
    ("de", APPROVAL, "Ihr Antrag wird von uns genehmigt."),
    ("de", APPROVAL, "Sie haben Anspruch auf zehn Lizenzen."),
    ("de", AMOUNT, "Die Lizenz ist kostenlos."),
    ("de", TIME, "Sie erhalten sie innerhalb von 3 Tagen."),
    ("fr", APPROVAL, "Votre demande sera acceptée."),
    ("fr", AMOUNT, "C'est gratuit."),
    ("fr", TIME, "Nous répondons sous 48 heures."),
    ("es", APPROVAL, "Su solicitud ha sido aprobada."),
    ("es", AMOUNT, "La licencia es gratuita."),
    ("es", TIME, "La recibirá en dos días."),
    ("pt", APPROVAL, "O pedido será aprovado."),
    ("pt", AMOUNT, "A licença é gratuita."),
    ("pt", TIME, "O senhor recebe em até 5 dias."),
    ("ja", APPROVAL, "ライセンスを発行します。"),
    ("ja", AMOUNT, "ライセンスは無料です。"),
    ("ja", TIME, "3営業日以内にご連絡します。"),
]

HARMLESS = {
    "en": "A specialist checks your account. Not all requests are granted.",
    "de": "Eine Fachkraft prüft Ihr Konto. Diese E-Mail allein ändert nichts.",
    "fr": "Un spécialiste examine votre compte. Cet e-mail ne déclenche rien à lui seul.",
    "es": "Un especialista revisa su cuenta. Este correo por sí solo no inicia nada.",
    "pt": "Um especialista analisa a sua conta. Este e-mail por si só não inicia nada.",
    "ja": "担当者がアカウントを確認します。このメールだけでは手続きは始まりません。",
}


@pytest.mark.parametrize(("language", "what", "sentence"), PROMISED)
def test_a_promise_is_found(language: str, what: str, sentence: str) -> None:
    assert PROMISES[language][what].search(sentence)


@pytest.mark.parametrize("language", PROMISES)
def test_every_language_has_every_table_and_lets_plain_sentences_pass(language: str) -> None:
    assert set(PROMISES[language]) == {APPROVAL, AMOUNT, TIME}
    assert not [what for what, words in PROMISES[language].items() if words.search(HARMLESS[language])]
    assert {what for other, what, _ in PROMISED if other == language} == {APPROVAL, AMOUNT, TIME}
