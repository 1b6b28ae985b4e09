"""Mails made worse on purpose: pieces of MIME put where they do not belong, for what a change of single octets never
finds (boundaries that match, base64 that decodes, a charset that fits).

Rule: the same generator state and the same mail give the same mutation.
"""

import quopri
from base64 import b64encode, encodebytes
from binascii import b2a_uu
from collections.abc import Callable, Sequence
from random import Random

CHARSETS = (
    "utf-8 us-ascii iso-8859-1 iso-8859-2 iso-8859-15 windows-1250 windows-1251 windows-1252 koi8-r gb2312 gbk gb18030 "
    "big5 shift_jis euc-jp iso-2022-jp iso-2022-kr euc-kr utf-7 utf-16 utf-32 hz idna punycode unknown-8bit x-mac-roman"
).split()
ENCODINGS = "7bit 8bit binary base64 quoted-printable x-uuencode BASE64; quoted printable none".split()
SUBTYPES = "mixed alternative related digest report signed encrypted parallel appledouble".split()
TYPES = (
    "text/plain text/html text/enriched text/calendar text/rtf text/x-amp-html message/rfc822 message/delivery-status "
    "message/partial message/external-body application/ms-tnef application/pkcs7-mime application/pgp-encrypted "
    "application/octet-stream image/png multipart/mixed multipart/ text"
).split()
WORDS = ("Grüße", "лицензия", "价格", "ライセンス", "라이선스", "a\u2028b", "x\r\nBcc: y@z.example", "\ufeff", "😀", "")
VALUES = (
    "ann@reseller.example",
    '"Archer, Ann" <ann@reseller.example>',
    "<ann@reseller.example> (comment (nested",
    "group: a@x.example, b@x.example;",
    "Ann <ann@reseller.example>, Bob <bob@x.example>",
    "ann@xn--nxasmq6b.example",
    "mx.vendor.example; dmarc=pass header.from=vendor.example",
    "Mon, 06 May 2024 10:00:00 +0200",
    "Mon, 99 Foo 0000 99:99:99 +9999",
    "<m1@reseller.example> <m2@reseller.example>",
    "auto-replied",
    "text/plain; charset=utf-8; format=flowed; delsp=yes",
    "attachment; filename*0*=utf-8''%E2%82; filename*1*=%AC.pdf",
    'multipart/mixed; boundary="b"',
    "multipart/report; report-type=delivery-status; boundary=b",
    "Undelivered Mail Returned to Sender",
    "<>",
    "",
)
FIELDS = (
    "From Reply-To Sender To Cc Subject Date Message-ID In-Reply-To References Return-Path Received Content-Type "
    "Content-Transfer-Encoding Content-Disposition Content-ID MIME-Version Auto-Submitted Authentication-Results "
    "List-Id X-Failed-Recipients Precedence X-Original-From"
).split()
LINES = (
    "On Mon, 6 May 2024 at 10:00, Ann <ann@reseller.example> wrote:",
    "> quoted",
    "-----Original Message-----",
    "-- ",
    "Von: Ann <ann@reseller.example>",
    "Gesendet: Montag, 6. Mai 2024 10:00",
    "<blockquote><div hidden>x</div>",
    "<p>a<br>b</p><img src=cid:1@x>",
    "begin 644 a.txt",
    "end",
    "=ybegin line=128 size=5 name=a.bin",
    "-----BEGIN PGP SIGNED MESSAGE-----",
    "Final-Recipient: rfc822; ann@reseller.example",
    "{\\rtf1\\ansi\\'e4 {\\*\\htmltag <p>}}",
    "BEGIN:VEVENT",
)
TOKENS = (b"; ", b"<div>", b"> ", b"(", b"=?", b"\r\n", b" ", b'"', b",", b"=", b"\xff", b"<", b"&", b"*", b"\xa1\xa1")
MOST_REPEATS = 300


def mutated(content: bytes, other: bytes, random: Random, max_size: int) -> bytes:
    """`content` after one to three changes, some of which take pieces of `other`; at most `max_size` octets."""
    for _ in range(random.randint(1, 3)):
        content = random.choice(_CHANGES)(content, other, random)[:max_size]
    return content


# ---- pieces -------------------------------------------------------------------------------------------------


def _divided(content: bytes) -> tuple[bytes, bytes]:
    """Header and body."""
    for blank in (b"\r\n\r\n", b"\n\n"):
        head, found, body = content.partition(blank)
        if found:
            return head + blank[: len(blank) // 2], body
    return content, b""


def _place(content: bytes, random: Random) -> int:
    """Where some line begins; 0 behind the last one."""
    return content.find(b"\n", random.randint(0, len(content))) + 1


def _stretch(content: bytes, random: Random) -> tuple[int, int]:
    start, end = sorted((_place(content, random), _place(content, random)))
    return start, end


def _word(random: Random) -> bytes:
    """An encoded word (RFC 2047), whose charset need not be the one that it was written in."""
    octets = random.choice(WORDS).encode(random.choice(CHARSETS[:18]), "ignore")
    packed = quopri.encodestring(octets, header=True) if random.random() < 0.5 else b64encode(octets)
    kind = random.choice((b"Q", b"B", b"q", b"x"))
    return b"=?%s?%s?%s?=" % (random.choice(CHARSETS).encode(), kind, packed)


def _value(random: Random) -> bytes:
    kinds = (
        lambda: random.choice(VALUES).encode(),
        lambda: b" ".join(_word(random) for _ in range(random.randint(1, 4))),
        lambda: _word(random) + b" <ann@reseller.example>",
        lambda: random.choice(WORDS).encode(random.choice(CHARSETS[:18]), "ignore").replace(b"\n", b"\n "),
        lambda: f"{random.choice(TYPES)}; charset={random.choice(CHARSETS)}".encode(),
        lambda: random.choice(ENCODINGS).encode(),
        lambda: b'attachment; filename="%s"' % _word(random),
    )
    return random.choice(kinds)()


def _field(random: Random) -> bytes:
    return random.choice(FIELDS).encode() + b": " + _value(random) + b"\r\n"


# ---- changes ------------------------------------------------------------------------------------------------

_Change = Callable[[bytes, bytes, Random], bytes]


def _with_field(content: bytes, other: bytes, random: Random) -> bytes:
    """One more field, in the header or, as for a part, anywhere."""
    place = _place(content if random.random() < 0.3 else _divided(content)[0], random)
    return content[:place] + _field(random) + content[place:]


def _with_other_field(content: bytes, other: bytes, random: Random) -> bytes:
    """A field's value replaced."""
    lines = content.splitlines(keepends=True)
    fields = [number for number, line in enumerate(lines) if b":" in line[:40]]
    if not fields:
        return _with_field(content, other, random)
    number = random.choice(fields)
    lines[number] = lines[number].partition(b":")[0] + b": " + _value(random) + b"\r\n"
    return b"".join(lines)


def _in_multipart(content: bytes, other: bytes, random: Random) -> bytes:
    """The body as one part of two; the other one is the body of another mail, or the whole mail."""
    head, body = _divided(content)
    boundary = random.choice((b"b", b"b b", b"=_x", b"b--", b"'()+_,-./:=?"))
    fields = b"".join(line for line in head.splitlines(keepends=True) if line[:8].lower() == b"content-")
    second = other if random.random() < 0.5 else b"\r\n" + _divided(other)[1]
    if random.random() < 0.4:
        second = b"Content-Type: message/rfc822\r\n\r\n" + other
    parts = [fields + b"\r\n" + body, second]
    random.shuffle(parts)
    kind = b'Content-Type: multipart/%s; boundary="%s"\r\n' % (random.choice(SUBTYPES).encode(), boundary)
    outer = b"".join(line for line in head.splitlines(keepends=True) if line[:8].lower() != b"content-")
    pieces = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return outer + kind + b"\r\n" + pieces + (b"--%s--\r\n" % boundary if random.random() < 0.8 else b"")


def _in_message(content: bytes, other: bytes, random: Random) -> bytes:
    """The mail inside another one."""
    head = _divided(other)[0]
    kept = b"".join(line for line in head.splitlines(keepends=True) if line[:8].lower() != b"content-")
    return kept + b"Content-Type: message/rfc822\r\n\r\n" + content


def _encoded(content: bytes, other: bytes, random: Random) -> bytes:
    """The body in a transfer encoding, and a field that says so, or says something else."""
    head, body = _divided(content)
    ways: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
        (b"base64", encodebytes),
        (b"quoted-printable", quopri.encodestring),
        (b"x-uuencode", _uuencoded),
        (b"8bit", bytes),
    )
    name, way = random.choice(ways)
    if random.random() < 0.3:
        name = random.choice(ENCODINGS).encode()
    return head + b"Content-Transfer-Encoding: " + name + b"\r\n\r\n" + way(body)


def _uuencoded(body: bytes) -> bytes:
    lines = (b2a_uu(body[at : at + 45]) for at in range(0, len(body), 45))
    return b"begin 644 a.bin\n" + b"".join(lines) + b"`\nend\n"


def _in_charset(content: bytes, other: bytes, random: Random) -> bytes:
    """Body, or everything, in another charset."""
    head, body = _divided(content)
    charset = random.choice(CHARSETS[:22])
    if random.random() < 0.2:
        return content.decode("utf-8", "replace").encode(charset, "replace")
    kind = f"Content-Type: text/plain; charset={random.choice((charset, *CHARSETS))}\r\n"
    return head + kind.encode() + b"\r\n" + body.decode("utf-8", "replace").encode(charset, "replace")


def _with_line(content: bytes, other: bytes, random: Random) -> bytes:
    place = _place(content, random)
    return content[:place] + random.choice(LINES).encode() + b"\r\n" + content[place:]


def _without_stretch(content: bytes, other: bytes, random: Random) -> bytes:
    start, end = _stretch(content, random)
    return content[:start] + content[end:]


def _with_stretch_of_other(content: bytes, other: bytes, random: Random) -> bytes:
    start, end = _stretch(other, random)
    place = _place(content, random)
    return content[:place] + other[start:end] + content[place:]


def _repeated(content: bytes, other: bytes, random: Random) -> bytes:
    """What costs more than its length shows it only when there is much of it."""
    start, end = _stretch(content, random)
    return content[:end] + content[start:end] * random.randint(1, MOST_REPEATS) + content[end:]


def _with_token_repeated(content: bytes, other: bytes, random: Random) -> bytes:
    token = random.choice(
        (b"; ", b"<div>", b"> ", b"(", b"=?", b"\r\n", b" ", b'"', b",", b"=", b"\xff", b"<", b"&", b"*")
    )
    place = random.randint(0, len(content))
    return content[:place] + token * random.randint(2, 10 * MOST_REPEATS) + content[place:]


def _with_other_line_ends(content: bytes, other: bytes, random: Random) -> bytes:
    line_end = random.choice((b"\n", b"\r", b"\r\r\n", b"\n\r"))
    return content.replace(b"\r\n", b"\n").replace(b"\n", line_end)


def _cut(content: bytes, other: bytes, random: Random) -> bytes:
    return content[: random.randint(0, len(content))]


def _with_octets(content: bytes, other: bytes, random: Random) -> bytes:
    place = random.randint(0, len(content))
    return content[:place] + random.randbytes(random.randint(1, 4)) + content[place + random.randint(0, 4) :]


_CHANGES: Sequence[_Change] = (
    _with_field,
    _with_other_field,
    _in_multipart,
    _in_message,
    _encoded,
    _in_charset,
    _with_line,
    _without_stretch,
    _with_stretch_of_other,
    _repeated,
    _with_token_repeated,
    _with_other_line_ends,
    _cut,
    _with_octets,
)
