"""Tables of wording become one regular expression: what a program writes differs by language, how it is read not."""

import re
import unicodedata

_ANY_CASE = re.IGNORECASE


def any_of(*alternatives: str) -> str:
    """A regular expression for one of them."""
    return "(?:" + "|".join(alternatives) + ")"


def wording(*alternatives: str) -> re.Pattern[str]:
    """One of them, in any case."""
    return re.compile(any_of(*alternatives), _ANY_CASE)


def one_line(text: str, length: int) -> str:
    """The first `length` characters of `text` on one line, without control and format characters (Unicode C*)."""
    plain = "".join(" " if unicodedata.category(one)[0] == "C" else one for one in text[: 10 * length])
    return " ".join(plain.split())[:length].rstrip()
