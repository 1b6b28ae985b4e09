"""Language identification, restricted to what partners write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.language import LANGUAGES, detect


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We would like to register a deal for our customer.", "en"),
        ("Wir möchten gerne eine Lizenz für unser Labor bestellen.", "de"),
        ("Nous souhaitons enregistrer une affaire pour notre client.", "fr"),
        ("Quisiéramos registrar una oportunidad para nuestro cliente.", "es"),
        ("Gostaríamos de registrar uma oportunidade para o nosso cliente.", "pt"),
        ("Chcielibyśmy zarejestrować transakcję dla naszego klienta.", "pl"),
        ("ライセンスの更新についてご連絡ください。", "ja"),
        ("我们想为客户续订许可证，请告知流程。", "zh"),
        ("라이선스 갱신 방법을 알려 주시기 바랍니다.", "ko"),
        ("Мы хотели бы продлить лицензию для нашего клиента.", "ru"),
    ],
)
def test_language_of_a_sentence(text: str, expected: str) -> None:
    assert detect(text) == expected


@pytest.mark.parametrize(
    "text", ["", "Thanks!", "OK, danke", "https://portal.example/very/long/path?with=arguments", "1234567890 " * 9]
)
def test_too_little_language_says_nothing(text: str) -> None:
    assert detect(text) == ""


@given(st.text(max_size=300))
def test_total_and_within_the_list(text: str) -> None:
    assert detect(text) in {"", *LANGUAGES}
