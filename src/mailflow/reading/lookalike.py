"""Domains that could be taken for one of ours or of a partner (D2; UTS 39, 4).

Rule: what is listed, or lies below it, imitates nothing. Of the rest these are look-alikes:

    imitation                                      of our name    of a partner's
    the whole domain as a beginning                yes            yes             gitlab.com.evil.example
    look-alike letters                             yes            yes             g1tlab.com, xn-- with Cyrillic
    one edit, the same suffix                      yes            yes, with care  gitlib.com, igtlab.com
    one edit, another suffix                       yes            no              gitlib.net
    the same name, another suffix                  yes            no              gitlab.co
    the name with words around it                  yes            no              gitlab-support.com, mygitlab.com
    letters of several look-alike alphabets        in any case

Why a partner's name is guarded less: there are thousands of them, so honest neighbours are many, and companies own
more domains than they list; of our own names the desk knows every honest use. "With care": in short names, in the
first letter, by a final s or by digits, one edit makes honest neighbours.
Why it is cheap: the skeleton of the mail's name, and every name one edit away from it, is looked up among partners'
names; nothing is compared with all of them.
Why an own table of letters: the libraries with the data of UTS 39 load a megabyte of it or are not kept, and the
letters that registries accept are few.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from mailflow.core.partner import NO_PARTNERS, PartnerDirectory
from mailflow.reading.domain_name import organisation, to_unicode
from mailflow.reading.free_mail import is_free_mail

_LOOK_ALIKES = {
    "a": "ɑαа4",
    "ae": "æӕ",
    "b": "ѣҍьвβꞵ68б",
    "c": "сҫᴄ",
    "d": "ԁð",
    "e": "еҽҿꬲε3зɜȝʒӡ",
    "f": "քẝꬵϝ",
    "g": "ƍɡցԍ9ꝯ",
    "h": "ћһհꚕнңӊӈ",
    "j": "ϳј",
    "k": "κкқҟ",
    "l": "iıɨɩɪιіӏᵻᵼꙇ1|ǀ",
    "m": "мӎϻ",
    "n": "ηոռп",
    "o": "0ɵθοσоѳөօჿᴏᴑꬽꬾ",
    "oe": "œ",
    "p": "ρр",
    "q": "ԛգզ",
    "r": "гғᴦꭇꭈʀ",
    "s": "5ƽѕꜱƨꙅտ",
    "t": "7τтҭ",
    "u": "ʋυսᴜᵾꞟʉ",
    "v": "νѵᴠ",
    "w": "ɯѡѽԝաᴡꝡω",
    "x": "хχҳꭓ",
    "y": "ɣʏγуүұყᶌ",
    "z": "2ᴢζꝛ",
}
"""Small letters of Latin, Greek, Cyrillic, Armenian and Georgian that a registry may accept, by the letter that they or
their capitals resemble (confusables.txt of UTS 39), and the digits that impostors use for letters."""
_DECORATED = re.compile("LATIN SMALL LETTER ([A-Z]) WITH ")
_LATIN = (*range(0x00C0, 0x02B0), *range(0x1D00, 0x1F00), *range(0x2C60, 0x2C80), *range(0xA720, 0xA800))
_LOOKS_LIKE = {
    point: found[1].lower() for point in _LATIN if (found := _DECORATED.match(unicodedata.name(chr(point), "")))
} | {ord(other): letter for letter, others in _LOOK_ALIKES.items() for other in others}
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_ALPHABETS_ALIKE = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"})

_MOST_LABELS = 10
_LONGEST = 63
"""Letters of a label (RFC 1035, 2.3.4)."""
_SHORTEST = 4
"""Letters of a name; shorter ones (ab, 3m) resemble others by chance."""
_SHORTEST_EDITED = 6
"""Letters of a partner's name below which one edit is chance."""
_WORDS_AROUND = frozenset(
    """
    account accounts alert alerts app auth billing care cloud contact customer customers desk docs get global group
    help helpdesk hq hr info invoice invoices it license licenses licensing login mail my net notice notify
    office official online order orders partner partners pay payment payments portal pro reset sales secure
    security service services shop sign signin sso staff store support team tech the update updates verify web
    """.split()
)


@dataclass(frozen=True, slots=True)
class _Name:
    domain: str
    name: str
    """What the company chose, as it is shown."""
    suffix: str
    shape: str
    """The skeleton of the name."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What can be imitated: our own names, and partners' names by what they are and by what they look like."""

    own_domains: frozenset[str]
    directory: PartnerDirectory
    own: tuple[_Name, ...]
    by_name: Mapping[str, Sequence[_Name]]
    by_shape: Mapping[str, Sequence[_Name]]
    letters: str
    """Every letter that stands in a partner's name."""

    def is_listed(self, domain: str) -> bool:
        is_own = any(domain == own or domain.endswith("." + own) for own in self.own_domains)
        return is_own or self.directory.lookup(domain) is not None


@lru_cache(maxsize=4)
def known_names(own_domains: frozenset[str], directory: PartnerDirectory = NO_PARTNERS) -> KnownNames:
    """Made once for a directory: 10,000 domains take a fifth of a second, a look-up less than a thousandth."""
    by_name: dict[str, list[_Name]] = {}
    by_shape: dict[str, list[_Name]] = {}
    for known in map(_name, directory.domains):
        by_name.setdefault(known.name, []).append(known)
        by_shape.setdefault(known.shape, []).append(known)
    letters = "".join(sorted(set("".join(by_name))))
    return KnownNames(own_domains, directory, tuple(map(_name, sorted(own_domains))), by_name, by_shape, letters)


def _name(domain: str) -> _Name:
    name, suffix = organisation(domain)
    shown = to_unicode(name)
    return _Name(domain, shown, suffix, skeleton(shown))


def resemblance(domain: str, known: KnownNames) -> str:
    """What `domain` (as A-labels) could be taken for, in words; '' if nothing."""
    if not domain or known.is_listed(domain) or is_free_mail(domain):
        return ""
    if target := _as_beginning(domain, known) or _imitated(_name(domain), known):
        return f"{domain} looks like {target}"
    alphabets = mixed_alphabets(to_unicode(domain))
    return f"{domain} mixes {' and '.join(alphabets)} letters" if alphabets else ""


def skeleton(name: str) -> str:
    """What a hasty reader sees; equal for `g1tlab` and `gitlab` (after UTS 39, 4, with digits, accents and `rn`)."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().translate(_LOOKS_LIKE)).casefold()
    shape = "".join(each for each in decomposed if not unicodedata.combining(each)).translate(_LOOKS_LIKE)
    for pair, single in _PAIRS:
        shape = shape.replace(pair, single)
    return shape


def mixed_alphabets(shown: str) -> list[str]:
    """The alphabets of the first label that mixes some whose letters look alike, sorted; empty where none does."""
    for label in shown.split("."):
        found = {unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha()}
        if len(alike := found & _ALPHABETS_ALIKE) > 1:
            return sorted(alphabet.capitalize() for alphabet in alike)
    return []


def _as_beginning(domain: str, known: KnownNames) -> str:
    """`gitlab.com` for `gitlab.com.evil.example`, `mail.gitlab.com.evil.example` and `gitlab.com-login.example`."""
    starts = [0, *(at + 1 for at, character in enumerate(domain) if character == ".")][:_MOST_LABELS]
    ends = [at for at, character in enumerate(domain) if character in ".-"][: 2 * _MOST_LABELS]
    runs = (domain[start:end] for start in starts for end in ends if "." in domain[start:end])
    return next((run for run in runs if run in known.own_domains or run in known.directory.domains), "")


def _imitated(seen: _Name, known: KnownNames) -> str:
    ours = (own for own in known.own if _imitates_ours(seen, own))
    return next((target.domain for target in chain(ours, _imitated_partners(seen, known))), "")


def _imitates_ours(seen: _Name, own: _Name) -> bool:
    same_suffix = seen.suffix == own.suffix
    if len(own.name) < _SHORTEST:
        return seen.shape == own.shape and (same_suffix or is_one_edit(seen.suffix, own.suffix))
    return (
        seen.shape == own.shape
        or (_is_neighbour(seen, own) and (same_suffix or len(own.name) >= _SHORTEST_EDITED))
        or _has_words_around(seen.shape, own.shape)
    )


def _is_neighbour(seen: _Name, own: _Name) -> bool:
    return is_one_edit(seen.name, own.name) or is_one_edit(seen.shape, own.shape)


def _has_words_around(shape: str, own: str) -> bool:
    """Whether the name is a hyphenated part, or stands before or behind a word of service: `gitlab-nl`, `mygitlab`."""
    rest = shape.removeprefix(own) if shape.startswith(own) else shape.removesuffix(own)
    return own in shape.split("-") or (rest != shape and rest in _SHAPES_AROUND)


def _imitated_partners(seen: _Name, known: KnownNames) -> Iterator[_Name]:
    if not _SHORTEST <= len(seen.name) <= _LONGEST:
        return
    for other in known.by_shape.get(seen.shape, ()):
        if seen.name != other.name or (seen.suffix != other.suffix and skeleton(seen.suffix) == skeleton(other.suffix)):
            yield other
    for name in one_edit_away(seen.name, known.letters):
        for other in known.by_name.get(name, ()):
            if seen.suffix == other.suffix and not _is_chance(seen, other):
                yield other


def _is_chance(seen: _Name, other: _Name) -> bool:
    """Neighbours that companies choose without malice: `partner`, `partners`; `web1`, `web2`; `mailer`, `tailer`."""
    one, two = seen.name, other.name
    if min(len(one), len(two)) < _SHORTEST_EDITED or one == two:
        return True
    shorter, longer = sorted((one, two), key=len)
    if longer[:-1] == shorter:
        return longer[-1] == "s" or longer[-1].isdigit()
    differing = [(a, b) for a, b in zip(one, two, strict=False) if a != b]
    is_swap = sorted(one) == sorted(two)
    return (one[0] != two[0] and not is_swap) or (differing[0][0].isdigit() and differing[0][1].isdigit())


def is_one_edit(left: str, right: str) -> bool:
    """One letter put in, left out, changed, or swapped with its neighbour (Damerau)."""
    if left == right or abs(len(left) - len(right)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    one, other = left[start:], right[start:]
    return (
        one[1:] == other
        or one == other[1:]
        or one[1:] == other[1:]
        or (one[:2] == other[1::-1] and one[2:] == other[2:])
    )


def one_edit_away(name: str, letters: Iterable[str]) -> Iterator[str]:
    """Every name that is one edit from `name`, with these letters put in; some come twice."""
    for at in range(len(name) + 1):
        head, tail = name[:at], name[at:]
        yield from (head + letter + tail for letter in letters)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in letters)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


_SHAPES_AROUND = frozenset(map(skeleton, _WORDS_AROUND))
