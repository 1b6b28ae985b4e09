"""Bytes to text: UTF-8 first, then the wider twin, never anything that cannot be stored (RFC 2047, WHATWG)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.charset import clean, decode, decode_words


@pytest.mark.parametrize(
    ("data", "declared", "expected"),
    [
        ("Zürich".encode(), "us-ascii", "Zürich"),
        ("新規".encode(), "big5", "新規"),
        (b"\x93a\x94", "iso-8859-1", "“a”"),
        (b"\x80", "", "€"),
        ("我们镕".encode("gbk"), "gb2312", "我们镕"),
        ("①㈱テスト".encode("cp932"), "shift_jis", "①㈱テスト"),
        ("똠방".encode("cp949"), "ks_c_5601-1987", "똠방"),
        ("ライセンス".encode("iso-2022-jp"), "iso-2022-jp", "ライセンス"),
        ("ライセンス".encode("iso-2022-jp"), "us-ascii", "ライセンス"),
        (b"\x1b$B\x2d\x21\x1b(B ok", "iso-2022-jp", "① ok"),
        ("Übung".encode("utf-16"), "utf-16", "Übung"),
        (b"Hi Mom +Jjo-!", "utf-7", "Hi Mom ☺!"),
        ("лицензия".encode("koi8-r"), "koi8-r", "лицензия"),
        ("Größe".encode(), "no-such-charset", "Größe"),
        ("Größe".encode("latin-1"), "no-such-charset", "Größe"),
        (b"\xef\xbb\xbfhello", "utf-8", "hello"),
        ("лицензия".encode("cp1251"), "win-1251", "лицензия"),
        ("лицензия".encode("cp866"), "ibm-866", "лицензия"),
        ("Größe".encode("cp1252"), "charset=windows-1252", "Größe"),
        ("שלום".encode("iso8859-8"), "iso-8859-8-i", "שלום"),
        ("Größe\n".encode() + "Füße".encode("cp1252"), "utf-8", "Größe\nFüße"),
        (b"plain", "idna", "plain"),
        (b"plain", "hex", "plain"),
    ],
)
def test_decode(data: bytes, declared: str, expected: str) -> None:
    assert decode(data, declared) == expected


@pytest.mark.parametrize("label", ["", "us-ascii", "utf-8", "no-such-charset"])
@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("请问如何申请许可证", "gbk"),
        ("請問如何申請授權", "big5"),
        ("ライセンスの更新について", "cp932"),
        ("ライセンスの更新について", "euc_jp"),
        ("라이선스 갱신 문의드립니다", "cp949"),
        ("Прошу продлить лицензию", "cp1251"),
        ("Прошу продлить лицензию", "koi8-r"),
        ("Παρακαλώ ανανεώστε την άδεια", "cp1253"),
        ("Prosím o prodloužení licence, děkuji předem za vaši rychlou odpověď.", "cp1250"),
        ("Größe", "cp1252"),
        ("Ça coûte très cher, répondez à Hélène", "cp1252"),
    ],
)
def test_octets_without_a_label_are_what_they_look_like(text: str, charset: str, label: str) -> None:
    assert decode(text.encode(charset), label) == text


@pytest.mark.parametrize("label", ["", "utf-8"])
def test_a_torn_character_does_not_hide_the_charset(label: str) -> None:
    assert decode("请问如何申请许可证".encode("gbk")[:-1], label) == "请问如何申请许可\ufffd"


@pytest.mark.parametrize("label", ["", "utf-8"])
def test_utf8_with_a_footer_of_another_charset_is_read_by_lines(label: str) -> None:
    text = "Wir möchten für Köln verlängern.\n"
    assert (
        decode(text.encode() + "Geschäftsführer: niemand".encode("cp1252"), label) == text + "Geschäftsführer: niemand"
    )


def test_two_byte_chinese_that_happens_to_be_utf8_stays_chinese() -> None:
    """The bytes of this word in GBK are valid UTF-8: the famous trap of guessing."""
    assert decode("联通".encode("gbk"), "gb2312") == "联通"


def test_damaged_text_keeps_what_is_readable() -> None:
    assert decode(b"Preis: " + b"\xff" + " für Köln und Übersee".encode(), "utf-8").endswith("für Köln und Übersee")


@given(
    st.binary(max_size=300),
    st.sampled_from(["", "utf-8", "utf-7", "utf-16", "big5", "hz", "iso-2022-jp", "zip", "ß", "\x00"]),
)
def test_decode_is_total_and_storable(data: bytes, declared: str) -> None:
    text = decode(data, declared)
    text.encode("utf-8")
    assert "\x00" not in text


@given(st.text(max_size=200))
def test_utf8_survives(text: str) -> None:
    assert decode(text.encode("utf-8"), "iso-8859-1") in (
        clean(text).removeprefix("\ufeff"),
        clean(text.removeprefix("\ufeff")),
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?B?w5w=?= =?utf-8?Q?ber?= all", "Über all"),
        ("=?utf-8?Q?Gr=C3?= =?utf-8?Q?=BC=C3=9Fe?=", "Grüße"),
        ("=?utf-8?B?8J+Y?= =?utf-8?B?gA==?=", "😀"),
        ("=?iso-8859-1?q?a?= b =?iso-8859-1?q?c?=", "a b c"),
        ("=?us-ascii*en?Q?Keith_Moore?=", "Keith Moore"),
        ("=?utf-8?Q?what?_now?=", "what? now"),
        ("=?utf-8?B?bm8gcGFkZGluZw?=", "no padding"),
        ("=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
        ("=?gb2312?B?" + "5bmz" + "?=", "平"),
        ("price =?utf-8?q?=E2=82=AC?=5", "price €5"),
        ("no words = ? here", "no words = ? here"),
    ],
)
def test_encoded_words_of_rfc_2047(value: str, expected: str) -> None:
    assert decode_words(value) == expected


@given(st.text(alphabet="=?utf-8QqBb_ \x1b$\ud800", max_size=120))
def test_decode_words_is_total_and_storable(value: str) -> None:
    decode_words(value).encode("utf-8")
