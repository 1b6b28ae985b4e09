"""What our own mail server found out about a sender: the field Authentication-Results (RFC 8601), as far as DMARC goes.

Rule: only the topmost field that plainly carries an authserv-id of ours counts. Fields of other hosts, and fields below
ours, are what the sender may have written himself. A field that names us without saying plainly that it is ours proves
nothing, and neither does any below it.
Rule: a verdict is exactly one DMARC result. Anything unclear is a problem, never a proof: a comment or quoted string
that never ends, a comment with half a quoted string, two results, two header.from, a second word that is no version.
Why so strict: the field repeats words of the sender (an envelope address may be a quoted string with `; dmarc=pass` in
it), so a second result must spoil the proof, not win; also one in a comment or quotes, because a careless server may
have repeated the very brackets or quotes that hide its own result.
Rule: letters compare without case in ASCII alone, and only the white space of RFC 5322 separates. Why: the server
removes forged fields that carry its name; what it would not take for its name (a Kelvin sign, a no-break space) must
not be its name to us either.
Why not the library authres: it refuses a whole field for a final semicolon, an unquoted IPv6 address, octets above 127
in a comment and a quoted authserv-id, all of which servers write, so genuine mail would lose its proof; and it takes a
field for complete whose comment never ends.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one field says: `dmarc` is its result word in lower case ('' if it gives none), `domain` its header.from."""

    authserv_id: str
    dmarc: str = ""
    domain: str = ""
    """As it was written."""
    problem: str = ""
    """Why the field proves nothing although it is ours."""


_LONGEST = 16_000
"""Characters; a longer field may have been cut before its end."""
_SPACE = re.compile(r"[ \t\r\n]+")
_AROUND_SIGN = re.compile(r"[ \t\r\n]*([=/])[ \t\r\n]*")
_RESULT_SHAPED = re.compile(r"[;)][ \t\r\n]*dmarc", re.IGNORECASE)
"""Where a DMARC result may begin: behind a semicolon or a comment; `arc=pass (i=1 dmarc=pass)` has none."""
_VERSION = "1"


def our_verdict(values: Iterable[str], trusted_authserv_ids: frozenset[str]) -> Verdict | None:
    """The verdict of the topmost of these field values that is ours; None where none is."""
    for value in values:
        verdict = read_verdict(value)
        if verdict.authserv_id in trusted_authserv_ids:
            return verdict
        if not verdict.authserv_id and any(ours in value.lower() for ours in trusted_authserv_ids):
            return Verdict("", problem="names us, but not as the one who wrote it")
    return None


def read_verdict(value: str) -> Verdict:
    """One field value. Total."""
    segments, is_sound = _segments(value[:_LONGEST])
    authserv_id, *more = _words(segments[0]) or [""]
    authserv_id = "" if "=" in authserv_id else _lower(authserv_id).strip('"')
    if not is_sound or len(value) > _LONGEST or more not in ([], [_VERSION]):
        return Verdict(authserv_id, problem="cannot be read")
    if len(_RESULT_SHAPED.findall(value)) > 1:
        return Verdict(authserv_id, problem="gives several DMARC results")
    result = next((result for result in map(_result, segments[1:]) if result and result[0] == "dmarc"), None)
    if result is None:
        return Verdict(authserv_id)
    _, word, properties = result
    domains = [pvalue for name, pvalue in properties if name == "header.from"]
    if len(domains) > 1:
        return Verdict(authserv_id, problem="names several header.from")
    return Verdict(authserv_id, dmarc=word, domain=domains[0].rpartition("@")[2] if domains else "")


def _words(text: str) -> list[str]:
    return [word for word in _SPACE.split(text) if word]


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else text


_Result = tuple[str, str, tuple[tuple[str, str], ...]]


def _result(segment: str) -> _Result | None:
    """`dmarc=pass header.from=a.example` -> ("dmarc", "pass", (("header.from", "a.example"),)); None for `none`."""
    pairs = [word.partition("=") for word in _words(_AROUND_SIGN.sub(r"\1", segment))]
    if not pairs or not pairs[0][1]:
        return None
    method, _, word = pairs[0]
    properties = tuple((_lower(name), pvalue.strip('"')) for name, equals, pvalue in pairs[1:] if equals)
    return _lower(method.partition("/")[0]), _lower(word), properties


def _segments(value: str) -> tuple[list[str], bool]:
    """The parts between semicolons, without comments, quotes kept; False where something begins that never ends."""
    parts, depth, in_quotes, quotes_in_comment = [""], 0, False, 0
    characters = iter(value)
    for character in characters:
        if character == "\\" and (depth or in_quotes):
            character = next(characters, "")
            parts[-1] += "" if depth else _as_word(character)
        elif in_quotes:
            in_quotes = character != '"'
            parts[-1] += _as_word(character) if in_quotes else character
        elif character == "(":
            depth += 1
        elif depth:
            depth -= character == ")"
            quotes_in_comment += character == '"'
            if not depth:
                parts[-1] += " "
                if quotes_in_comment % 2:
                    return parts, False
        elif character == '"':
            in_quotes = True
            parts[-1] += character
        elif character == ";":
            parts.append("")
        else:
            parts[-1] += character
    return parts, not depth and not in_quotes


def _as_word(character: str) -> str:
    """A quoted character cannot separate anything, nor end the quotes."""
    return "_" if character.isspace() or character in '"=/' else character
