"""CPU of reading a mail beside a plain standard-library parse that decodes the same mail, in one process and one run.

    python benchmarks/parse.py [ROUNDS]

Plain: compat32, every leaf decoded, text with its charset. `parse`: the frozen value, with what is new, the language,
all fields. `understand`: that, who sent it and what it is. The three alternate mail by mail, so that a machine that
drifts drifts for all. A figure is the median of the rounds, with the spread beside it; it says, it does not judge.
"""

import math
import random
import statistics
import sys
import time
from base64 import encodebytes
from collections.abc import Callable, Iterable, Sequence
from email import message_from_bytes
from html import escape
from pathlib import Path
from quopri import encodestring

from mailflow import bootstrap
from mailflow.adapters.examples import EXAMPLE_DESK, Example, read_examples, to_bytes
from mailflow.reading import language
from mailflow.reading.parse import parse
from mailflow.reading.understand import understand
from mailflow.settings import Settings

ROUNDS, EXAMPLES = 5, 300
SIZES = (10_000, 100_000, 1_000_000, 5_000_000, 25_000_000)
"""Octets of the mails that show whether the price grows faster than the mail."""
MAILS = Path(__file__).parents[1] / "tests" / "mails"

Reader = Callable[[bytes], object]


def plain(content: bytes) -> None:
    """What any program must do at least to have the text and the files of a mail."""
    for part in message_from_bytes(content).walk():
        if not part.is_multipart():
            octets = part.get_payload(decode=True)
            if part.get_content_maintype() == "text" and isinstance(octets, bytes):
                try:
                    octets.decode(part.get_content_charset("utf-8"), "replace")
                except (LookupError, UnicodeError):
                    octets.decode("latin-1")


def understood(content: bytes) -> object:
    return understand(content, None, EXAMPLE_DESK)


READERS: tuple[Reader, ...] = (plain, parse, understood)

# ---- the mails ------------------------------------------------------------------------------------------------------

_TRACE = b"""\
Delivered-To: partnersupport@gitlab.com
Received: by 2002:a05:7010:9a8d:b0:3e5:9f2b:1c77 with SMTP id x13csp1184266mdl; Mon, 6 May 2024 01:00:03 -0700 (PDT)
ARC-Seal: i=1; a=rsa-sha256; t=1714982402; cv=none; d=relay.example; s=arc-20160816;
 b=%(key)s
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=relay.example; s=arc-20160816;
 h=mime-version:subject:message-id:date:from:to:dkim-signature; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;
 b=%(key)s
ARC-Authentication-Results: i=1; mx.relay.example; dkim=pass header.i=@reseller.example header.s=s1 header.b=dGhpcyBp;
 spf=pass (relay.example: domain of bounce@reseller.example designates 192.0.2.10 as permitted sender)
 smtp.mailfrom=bounce@reseller.example; dmarc=pass (p=QUARANTINE sp=NONE dis=NONE) header.from=reseller.example
Return-Path: <bounce@reseller.example>
Received: from out-10.reseller.example (out-10.reseller.example. [192.0.2.10])
 by mx.relay.example with ESMTPS id n3-20020a50cc43000000b00572d0e2ab6fsi4021387edi.55.2024.05.06.01.00.02
 for <partnersupport@gitlab.com> (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);
 Mon, 06 May 2024 01:00:02 -0700 (PDT)
Received-SPF: pass (relay.example: domain of bounce@reseller.example designates 192.0.2.10 as permitted sender)
 client-ip=192.0.2.10;
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=reseller.example; s=s1; t=1714982401; x=1715587201;
 h=content-type:mime-version:subject:message-id:date:from:to:from:to:cc:subject:date:message-id:reply-to;
 bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;
 b=%(key)s
Received: from AM0PR07MB4131.mail.example (2603:10a6:208:3a::22) by AM9PR07MB7794.mail.example
 (2603:10a6:20b:30a::13) with Microsoft SMTP Server (version=TLS1_2,
 cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.7544.29; Mon, 6 May 2024 08:00:00 +0000
Date: Mon, 06 May 2024 10:00:00 +0200
Thread-Index: AQHan4X1+Q9v0Q0bVkK8Y8mZ3qJm7rGPGJ0A
Accept-Language: de-DE, en-US
Content-Language: en-US
X-MS-Has-Attach: yes
X-Mailer: Reseller Mail 7.2.1
""" % {b"key": b"\n ".join([b"aGVyZSBpcyBub3RoaW5nIHRvIHNlZSBidXQgYSBzaWduYXR1cmUgbWFkZSBvZiB3b3Jk"] * 5)}


def dressed(example: Example) -> bytes:
    """`example` as it arrives: with the fields of the servers on its way, and the HTML that clients send along."""
    head, part, rest = to_bytes(example).partition(b"Content-Type: text/plain; charset=utf-8\n")
    _, _, rest = rest.partition(example.text.encode())
    lines = "".join(f"<div>{escape(line) or '<br>'}</div>\n" for line in example.text.split("\n"))
    html = f'<html><head><meta charset="utf-8"></head><body><div dir="ltr">\n{lines}</div></body></html>'
    encoding = b"Content-Transfer-Encoding: quoted-printable\n\n"
    body = (
        b'Content-Type: multipart/alternative; boundary="=_alternative"\n\n--=_alternative\n'
        + (part + encoding + encodestring(example.text.encode()))
        + b"\n--=_alternative\nContent-Type: text/html; charset=utf-8\n"
        + (encoding + encodestring(html.encode()) + b"\n--=_alternative--\n")
    )
    return (_TRACE + head + body + rest).replace(b"\n", b"\r\n")


_SENTENCES = (
    "We would like to renew the subscription of our customer before the end of the quarter.",
    "Could you tell us which form we have to fill in, and who must sign it?",
    "The portal shows an error when we upload the certificate of our engineer.",
)


def long_text(size: int) -> bytes:
    """A mail of about `size` octets that is one plain text."""
    pick = random.Random(size)  # noqa: S311  # not a secret, and the same mail each time
    lines = (f"{pick.choice(_SENTENCES)} {pick.random()}\n" for _ in range(size // 100))
    return _TRACE + b"Subject: long\nContent-Type: text/plain; charset=utf-8\n\n" + "".join(lines).encode()


def long_html(size: int) -> bytes:
    """A mail of about `size` octets that is one HTML page."""
    lines = (f"<p style='margin:0'>{_SENTENCES[n % 3]}</p>\n" for n in range(size // 105))
    return _TRACE + b"Subject: long\nContent-Type: text/html; charset=utf-8\n\n" + "".join(lines).encode()


def with_attachment(size: int) -> bytes:
    """A mail of about `size` octets that is a short text and a file."""
    file = encodebytes(random.Random(size).randbytes(size * 3 // 4)).replace(b"\n", b"\r\n")  # noqa: S311
    return (
        _TRACE + b"Subject: file\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nPlease find it attached.\n--b\n"
        b"Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n" + file + b"\n--b--\n"
    )


# ---- the measuring --------------------------------------------------------------------------------------------------


def measured(mails: Sequence[bytes]) -> list[list[float]]:
    """One round: the seconds of CPU that each of READERS took with each mail."""
    spent: list[list[float]] = [[] for _ in READERS]
    for content in mails:
        for seconds, reader in zip(spent, READERS, strict=True):
            started = time.process_time()
            reader(content)
            seconds.append(time.process_time() - started)
    return spent


def row(name: str, mails: Sequence[bytes], rounds: int) -> float:
    """Prints one line of the table. Returns the seconds that `parse` took a mail."""
    measured(mails[:20])
    found = [measured(mails) for _ in range(rounds)]
    means = [statistics.median(statistics.fmean(spent[n]) for spent in found) for n in range(len(READERS))]
    usual = statistics.median(
        parsed / least for spent in found for least, parsed in zip(spent[0], spent[1], strict=True)
    )
    cells = [_spread([sum(spent[n]) / sum(spent[0]) for spent in found]) for n in (1, 2)]
    print(f"{name:<20}" + "".join(f"{1000 * one:11.3f}" for one in means) + f"   {cells[0]}{usual:8.2f}   {cells[1]}")
    return means[1]


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):6.2f} {f'({min(ratios):.2f} to {max(ratios):.2f})':<18}"


def slope(points: Iterable[tuple[int, float]]) -> float:
    """The exponent of the growth: 1 is linear, 2 is quadratic (least squares on logarithms)."""
    logs = [(math.log(size), math.log(seconds)) for size, seconds in points]
    return statistics.linear_regression([x for x, _ in logs], [y for _, y in logs]).slope


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    language.warm()
    examples = read_examples(bootstrap.find_assets(Settings()).classifiers / "examples").examples
    print(f"median of {rounds} rounds; ms CPU a mail, times a plain parse (least to most), and that of the median mail")
    titles = "".join(f"{title:>11}" for title in ("plain", "parse", "understand"))
    print(f"{'':<20}{titles}   {'parse / plain':<25}{'median':>8}   understand / plain")
    row("tests/mails", [path.read_bytes() for path in sorted(MAILS.glob("*.eml"))], rounds)
    row("dressed examples", [dressed(one) for one in examples[:: len(examples) // EXAMPLES]], rounds)
    for name, make in (("attachment", with_attachment), ("long text", long_text), ("long HTML", long_html)):
        points = [(size, row(f"{name} {size / 1e6:g} MB", [make(size)], rounds)) for size in SIZES]
        print(f"{name}: time grows with size to the power of {slope(points):.2f} (from 1 MB: {slope(points[2:]):.2f})")


if __name__ == "__main__":
    main()
