"""Who sent a mail, and what our own mail server vouches for (D1, D2; RFC 8601, RFC 7489).

Rule: only the topmost Authentication-Results field that carries our own authserv-id counts. Fields of other hosts, and
fields below ours, are what the sender may have written himself.
Rule: a proof is exactly one `dmarc=pass` in that field whose header.from is the domain of the one From address.
Anything unclear (a comment that never ends, two DMARC results, several authors) is no proof.
Why so strict: the proof unlocks internal text, and the field repeats words of the sender (an envelope address may hold
an encoded word that turns into `; dmarc=pass` once decoded), so a second result must spoil the proof, not win.
Why not the library authres: it refuses the whole field at the first property that RFC 7601 does not list, such as the
`action=none` that Exchange writes, so genuine mail would lose its proof; and it merges what must be counted here.
Rule: a subdomain of an own domain is own only if it is listed.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mailflow.core.message import Address, InboundMessage, Role, Sender, Trust


@dataclass(frozen=True, slots=True)
class Desk:
    """What the desk calls its own. Everything lower-cased."""

    addresses: frozenset[str]
    """addr-specs of the help desk's mailboxes."""
    own_domains: frozenset[str]
    """Domains whose proven senders are colleagues."""
    trusted_authserv_ids: frozenset[str]
    """authserv-ids of our own receiving servers (RFC 8601, 2.5)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What our server found: `dmarc` is its result word ('' if it gave none), `domain` its header.from."""

    authserv_id: str
    dmarc: str = ""
    domain: str = ""
    problem: str = ""
    """Why the field proves nothing although it is ours."""


_FREE_MAIL = """
    gmail.com googlemail.com outlook.com outlook.de outlook.fr outlook.es outlook.it outlook.jp outlook.com.br
    hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.es hotmail.it live.com live.co.uk live.de live.fr
    live.nl live.it msn.com passport.com yahoo.com yahoo.co.uk yahoo.co.jp yahoo.co.in yahoo.de yahoo.fr
    yahoo.es yahoo.it yahoo.ca yahoo.com.br yahoo.com.mx yahoo.com.ar yahoo.com.au ymail.com rocketmail.com
    myyahoo.com aol.com aim.com icloud.com me.com mac.com proton.me protonmail.com protonmail.ch pm.me
    tutanota.com tutanota.de tuta.io tuta.com gmx.com gmx.de gmx.net gmx.at gmx.ch gmx.fr web.de t-online.de
    freenet.de arcor.de mail.de posteo.de mailbox.org mail.com email.com fastmail.com fastmail.fm hushmail.com
    zoho.com zohomail.com yandex.com yandex.ru ya.ru mail.ru bk.ru inbox.ru list.ru rambler.ru orange.fr
    wanadoo.fr free.fr laposte.net sfr.fr bbox.fr neuf.fr libero.it virgilio.it tiscali.it alice.it tin.it
    telefonica.net terra.com.br uol.com.br bol.com.br ig.com.br globo.com sapo.pt wp.pl o2.pl onet.pl op.pl
    interia.pl gazeta.pl seznam.cz centrum.cz email.cz atlas.cz azet.sk freemail.hu citromail.hu abv.bg
    mail.bg ukr.net i.ua ziggo.nl kpnmail.nl xs4all.nl hetnet.nl planet.nl skynet.be telenet.be bluewin.ch
    btinternet.com virginmedia.com sky.com talktalk.net ntlworld.com comcast.net verizon.net att.net
    sbcglobal.net bellsouth.net cox.net charter.net earthlink.net shaw.ca rogers.com bigpond.com
    optusnet.com.au qq.com 163.com 126.com yeah.net sina.com sohu.com foxmail.com aliyun.com naver.com
    daum.net hanmail.net nate.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp nifty.com rediffmail.com
"""
FREE_MAIL_DOMAINS = frozenset(_FREE_MAIL.split())

_NO_PARTNERS: Mapping[str, str] = MappingProxyType({})


def identify(message: InboundMessage, desk: Desk, partner_domains: Mapping[str, str] = _NO_PARTNERS) -> Sender:
    """Role, trust and flags of the sender. `partner_domains` maps a lower-cased domain to the partner's name."""
    domain = message.from_.domain if message.from_ else ""
    trust, reason = _trust(message, domain, desk, partner_domains)
    role = Role.UNKNOWN
    if trust is Trust.KNOWN:
        role = Role.INTERNAL if domain in desk.own_domains else Role.PARTNER
    return Sender(role=role, trust=trust, reason=reason, flags=_flags(message, domain, trust, desk, partner_domains))


def _trust(message: InboundMessage, domain: str, desk: Desk, partner_domains: Mapping[str, str]) -> tuple[Trust, str]:
    verdict = our_verdict(message, desk.trusted_authserv_ids)
    problem = _missing_proof(verdict, message, domain)
    if verdict is None or problem:
        return Trust.UNAUTHENTICATED, problem
    proof = f"{verdict.authserv_id} says dmarc=pass for {domain}"
    if domain in desk.own_domains:
        return Trust.KNOWN, proof
    if domain in partner_domains and not is_free_mail(domain):
        return Trust.KNOWN, f"{proof}, the domain of {partner_domains[domain]}"
    return Trust.ALIGNED, f"{proof}, which we do not know"


def _missing_proof(verdict: Verdict | None, message: InboundMessage, domain: str) -> str:
    """Why the sender is not proven, in a sentence; '' if he is."""
    if not domain:
        return "there is no From address"
    if message.from_ is None or authors(message) != {message.from_.addr_spec.lower()}:
        return "there is not exactly one From address"
    if verdict is None:
        return "no Authentication-Results of our own server"
    if verdict.problem:
        return f"the Authentication-Results of {verdict.authserv_id} {verdict.problem}"
    if verdict.dmarc != "pass":
        return f"{verdict.authserv_id} says dmarc={verdict.dmarc or '(nothing)'}"
    if verdict.domain != domain:
        return f"{verdict.authserv_id} says dmarc=pass for {verdict.domain or '(no domain)'}, but From is of {domain}"
    return ""


# Authors


_QUOTED_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)')
_LONGEST_FROM = 2_000
_ADDR_SPEC = re.compile(r"[^\s<>,;:\"()]+@[^\s<>,;:\"()]+")


def authors(message: InboundMessage) -> set[str]:
    """Every address in every From field, lower-cased; more than one means that nobody in particular wrote it.

    A field that is not read to its end, or is not alone, counts as one author more.
    """
    fields = message.header_values("From")
    if not fields:
        return {message.from_.addr_spec.lower()} if message.from_ else set()
    bare = (_QUOTED_OR_COMMENT.sub(" ", value[:_LONGEST_FROM]) for value in fields)
    found = {spec.strip("'").lower() for value in bare for spec in _ADDR_SPEC.findall(value)}
    is_plain = len(fields) == 1 and len(fields[0]) <= _LONGEST_FROM
    return found if is_plain else found | {"somebody else, perhaps"}


# Authentication-Results


def our_verdict(message: InboundMessage, trusted_authserv_ids: frozenset[str]) -> Verdict | None:
    """The verdict of the topmost Authentication-Results field that is ours; None where there is none."""
    for value in message.header_values("Authentication-Results"):
        verdict = read_verdict(value)
        if verdict.authserv_id in trusted_authserv_ids:
            return verdict
        if not verdict.authserv_id and any(ours in value.lower() for ours in trusted_authserv_ids):
            return verdict  # it names us, but so that one cannot say whether it speaks as us
    return None


def read_verdict(value: str) -> Verdict:
    """One Authentication-Results value, as far as DMARC goes (RFC 8601, 2.2)."""
    segments, is_sound = _segments(value)
    words = segments[0].split()
    authserv_id = words[0].lower() if words and "=" not in words[0] else ""
    if not is_sound:
        return Verdict(authserv_id, problem="cannot be read")
    results = [result for result in map(_result, segments[1:]) if result and result[0] == "dmarc"]
    if len(results) > 1:
        return Verdict(authserv_id, problem="gives several DMARC results")
    if not results:
        return Verdict(authserv_id)
    _, word, properties = results[0]
    domains = [pvalue for name, pvalue in properties if name == "header.from"]
    if len(domains) > 1:
        return Verdict(authserv_id, problem="names several header.from")
    return Verdict(authserv_id, dmarc=word, domain=domains[0].rpartition("@")[2] if domains else "")


_Result = tuple[str, str, tuple[tuple[str, str], ...]]


def _result(segment: str) -> _Result | None:
    """`dmarc=pass header.from=a.example` -> ("dmarc", "pass", (("header.from", "a.example"),)); None for `none`."""
    pairs = [word.partition("=") for word in re.sub(r"\s*([=/])\s*", r"\1", segment).lower().split()]
    if not pairs or not pairs[0][1]:
        return None
    method, _, word = pairs[0]
    return method.partition("/")[0], word, tuple((name, pvalue) for name, equals, pvalue in pairs[1:] if equals)


def _segments(value: str) -> tuple[list[str], bool]:
    """The parts between semicolons, without comments; False where a comment or a quoted string never ends."""
    parts, depth, in_quotes = [""], 0, False
    characters = iter(value)
    for character in characters:
        if character == "\\" and (depth or in_quotes):
            character = next(characters, "")
            parts[-1] += "" if depth else _as_word(character)
        elif in_quotes:
            in_quotes = character != '"'
            parts[-1] += _as_word(character) if in_quotes else ""
        elif character == "(":
            depth += 1
        elif depth:
            depth -= character == ")"
            parts[-1] += "" if depth else " "
        elif character == '"':
            in_quotes = True
        elif character == ";":
            parts.append("")
        else:
            parts[-1] += character
    return parts, not depth and not in_quotes


def _as_word(character: str) -> str:
    """A quoted character cannot separate anything."""
    return "_" if character.isspace() or character in ";=/" else character


# Flags


def _flags(
    message: InboundMessage, domain: str, trust: Trust, desk: Desk, partner_domains: Mapping[str, str]
) -> tuple[str, ...]:
    known = desk.own_domains | set(partner_domains)
    table = {
        "no_proof": trust is Trust.UNAUTHENTICATED,
        "free_mail": is_free_mail(domain),
        "lookalike_domain": any(is_lookalike(each, known) for each in _shown_domains(message, domain)),
        "reply_to_differs": reply_to_differs(message.from_, message.reply_to),
    }
    return tuple(flag for flag, is_raised in table.items() if is_raised)


def _shown_domains(message: InboundMessage, domain: str) -> set[str]:
    return {domain, *(address.domain for address in message.reply_to)} - {""}


def is_free_mail(domain: str) -> bool:
    return domain.lower() in FREE_MAIL_DOMAINS


def reply_to_differs(author: Address | None, reply_to: tuple[Address, ...]) -> bool:
    """Whether an answer to Reply-To would leave the author's domain (of a free mail provider: the author's address)."""
    if author is None:
        return bool(reply_to)
    if is_free_mail(author.domain):
        return any(address.addr_spec.lower() != author.addr_spec.lower() for address in reply_to)
    return any(address.domain != author.domain for address in reply_to)


# Look-alike domains

_LOOK_ALIKES = {
    "a": "аαɑ4",
    "b": "Ьвβ8",
    "c": "сϲ",
    "d": "ԁđ",
    "e": "еεё3",
    "g": "ɡ9",
    "h": "һн",
    "j": "ј",
    "k": "кκ",
    "l": "iıіїι1|łӏǀ",
    "m": "м",
    "n": "ηп",
    "o": "оο0øσ",
    "p": "рρ",
    "q": "ԛ",
    "r": "гг",
    "s": "ѕ5",
    "t": "тτ7",
    "u": "υս",
    "v": "νѵ",
    "w": "ԝω",
    "x": "хχ",
    "y": "уγ",
    "z": "ᴢ2",
}
_LOOKS_LIKE = {ord(other): letter for letter, others in _LOOK_ALIKES.items() for other in others.casefold()}
_LONG_LOOKS_LIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_SHORTEST_FOR_EDITS = 7
"""`ab.de` and `ac.de` are neighbours by chance; from `abc.com` on a single edit is suspicious."""


def is_lookalike(domain: str, known: Iterable[str]) -> bool:
    """Whether `domain`, itself unknown, could be taken for one of `known`.

    That is: by look-alike letters, by one edit, or because it begins with the whole of it.
    """
    known = frozenset(known)
    if any(domain == target or domain.endswith("." + target) for target in known):
        return False
    return any(_resembles(domain, target) for target in known)


def _resembles(domain: str, target: str) -> bool:
    if domain.startswith(target + "."):
        return True
    tail = ".".join(_to_unicode(domain).split(".")[-(target.count(".") + 1) :])
    return skeleton(tail) == skeleton(target) or (len(target) >= _SHORTEST_FOR_EDITS and _is_one_edit(tail, target))


def skeleton(domain: str) -> str:
    """What a hasty reader sees; equal for `g1tlab.example` and `gitlab.example` (after UTS 39, a small table)."""
    decomposed = unicodedata.normalize("NFKD", domain.casefold())
    shape = "".join(each for each in decomposed if not unicodedata.combining(each)).translate(_LOOKS_LIKE)
    for pair, single in _LONG_LOOKS_LIKE:
        shape = shape.replace(pair, single)
    return shape


def _to_unicode(domain: str) -> str:
    """`xn--` labels as they are shown; a label that cannot be decoded stays."""
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain


def _is_one_edit(left: str, right: str) -> bool:
    """One letter put in, left out, changed, or swapped with its neighbour."""
    if left == right or abs(len(left) - len(right)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    rest_left, rest_right = left[start:], right[start:]
    return (
        rest_left[1:] == rest_right
        or rest_left == rest_right[1:]
        or rest_left[1:] == rest_right[1:]
        or (rest_left[:2] == rest_right[1::-1] and rest_left[2:] == rest_right[2:])
    )
