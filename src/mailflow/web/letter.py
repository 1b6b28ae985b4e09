"""Letters of strangers and our own answers, each in a frame that may do nothing; files to be saved; the raw mail.

    the page  ->  <iframe sandbox src="/mails/7/letter">  ->  a document of its own, with its own policy

Rule: three fences, each of which is enough. nh3 lets only harmless elements, attributes and properties through; the
document's policy is `sandbox; default-src 'none'`, so it runs nothing, loads nothing and sends nothing; the frame has
`sandbox` too. Rule: pictures of other servers are loaded where somebody chose it, and then the letter says from where.
Rule: a file is saved, never opened here, whatever its sender calls it.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import quote, urlsplit

import nh3
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from mailflow.core.accounts import Signed
from mailflow.core.octets import Octets, slices
from mailflow.core.review import MailView, Permission
from mailflow.errors import StoreError
from mailflow.reading.contents import PICTURE_TYPES, file_of, html_of, pictures_of
from mailflow.web import actions
from mailflow.web.access import needs
from mailflow.web.desk import WebDesk
from mailflow.web.filenames import saved_name
from mailflow.web.filters import MOST_ID
from mailflow.web.rendering import HEADERS

Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Id = Annotated[int, Path(ge=1, le=MOST_ID)]

# ---------------------------------------------------------------------- what of a letter is shown

_TAGS = frozenset(
    "a abbr b bdi bdo blockquote br caption center cite code col colgroup dd del div dl dt em font h1 h2 h3 h4 h5 h6 "
    "hr i img ins kbd li ol p pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u "
    "ul".split()
)
_WITH_CONTENT = frozenset("script style title template noscript iframe object embed svg math select textarea".split())
"""What is left out with everything inside; of other elements the words stay."""
_ANYWHERE = frozenset("align dir lang style".split())
_CELL = frozenset("bgcolor colspan height rowspan valign width".split())
_ATTRIBUTES: dict[str, set[str]] = {
    "*": set(_ANYWHERE),
    "a": {"href"},
    "img": {"alt", "height", "src", "width"},
    "font": {"color", "face", "size"},
    "table": {"bgcolor", "border", "cellpadding", "cellspacing", "width"},
    "td": set(_CELL),
    "th": set(_CELL),
    "tr": {"bgcolor", "valign"},
    "col": {"span", "width"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value"},
}
_PROPERTIES = frozenset(
    "color background-color font-family font-size font-style font-weight line-height text-align text-decoration "
    "text-indent vertical-align white-space width max-width height border border-top border-right border-bottom "
    "border-left border-collapse border-color border-style border-width border-radius margin margin-top margin-right "
    "margin-bottom margin-left padding padding-top padding-right padding-bottom padding-left list-style-type".split()
)
"""Why no `display` and `position`: what was written is shown, all of it, where it stands."""
_SCHEMES = frozenset({"http", "https", "mailto", "cid", "data"})
_DATA_PICTURE = re.compile(rf"data:({'|'.join(sorted(map(re.escape, PICTURE_TYPES)))});base64,[A-Za-z0-9+/=\s]*")


_HREF = re.compile(r'<a href="')
"""As nh3 writes it: quotes and `<` in an address are escaped, so this stands nowhere else.

Why links say where they lead, and lead nowhere: whoever follows one by habit is on a page of strangers, signed in here.
Their addresses stand below the letter, to be read and copied.
"""


@dataclass(slots=True)
class Cleaned:
    """A letter that may be shown, and what it wanted to load."""

    html: str = ""
    links: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    """Addresses of pictures on other servers, loaded or not."""


def cleaned(source: str, pictures: Mapping[str, str], *, with_pictures: bool) -> Cleaned:
    """`source` without anything that acts. `pictures`: Content-ID -> data URL. `with_pictures`: those of others too."""
    found = Cleaned()

    def attribute(tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return _link(value, found)
        if name == "src":
            return _picture(value, pictures, found, with_pictures)
        return value

    clean = nh3.clean(
        source,
        tags=set(_TAGS),
        clean_content_tags=set(_WITH_CONTENT),
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes=set(_SCHEMES),
        url_relative="deny",
        filter_style_properties=set(_PROPERTIES),
        link_rel=None,
    )
    found.html = _HREF.sub('<a title="', clean)
    return found


def _link(value: str, found: Cleaned) -> str | None:
    if _scheme(value) not in ("http", "https", "mailto"):
        return None
    if value not in found.links:
        found.links.append(value)
    return value


def _picture(value: str, pictures: Mapping[str, str], found: Cleaned, with_pictures: bool) -> str | None:
    scheme = _scheme(value)
    if scheme == "cid":
        return pictures.get(value[4:].strip("<> "))
    if scheme == "data":
        return value if _DATA_PICTURE.fullmatch(value) else None
    if scheme not in ("http", "https"):
        return None
    found.pictures.append(value)
    return value if with_pictures and scheme == "https" else None


def _scheme(value: str) -> str:
    """Lower case, '' for what is no address."""
    try:
        return urlsplit(value.strip()).scheme
    except ValueError:
        return ""


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or address[:80]
    except ValueError:
        return address[:80]


# ---------------------------------------------------------------------- the frame's document

_STYLE = """
:root{color-scheme:light;background:#fff;color:#111}
body{margin:12px;font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
img{max-width:100%;height:auto}
img:not([src]){display:inline-block;min-width:2em;min-height:1em;border:1px dashed #767676;padding:2px 6px}
table{max-width:100%}
a{color:#1f52bd;text-decoration:underline;cursor:help}
.of-desk{margin:-12px -12px 12px;padding:8px 12px;background:#eef2f8;color:#1c2330;border-bottom:1px solid #b9c3d3;
font:13px/1.5 system-ui,sans-serif}
.links{margin:24px 0 0;padding-top:8px;border-top:1px solid #b9c3d3;font:13px/1.5 system-ui,sans-serif;color:#1c2330}
"""
_FENCE = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:{more}; {frames}"
_FRAMES = "frame-ancestors 'self'; form-action 'none'; base-uri 'none'"


_LEADS = "Where its links lead (they cannot be followed from here: read the address, then copy it):"


def frame_headers(*, with_pictures: bool = False) -> dict[str, str]:
    policy = _FENCE.format(more=" https:" if with_pictures else "", frames=_FRAMES)
    return HEADERS | {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}


def letter_document(letter: Cleaned, *, with_pictures: bool) -> str:
    note = _picture_note(letter.pictures, with_pictures=with_pictures)
    banner = f'<p class="of-desk">{html.escape(note)}</p>' if note else ""
    listed = "".join(f"<li>{html.escape(one[:300])}</li>" for one in letter.links[:50])
    links = f'<div class="links">{_LEADS}<ul>{listed}</ul></div>' if listed else ""
    return _document(f"{banner}{letter.html}{links}")


def _document(body: str) -> str:
    head = f'<meta charset="utf-8"><title>Letter</title><style>{_STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _picture_note(addresses: Iterable[str], *, with_pictures: bool) -> str:
    hosts = sorted({_host(one) for one in addresses})
    if not hosts:
        return ""
    where = ", ".join(hosts[:5]) + (" and others" if len(hosts) > 5 else "")
    if with_pictures:
        return f"Pictures were loaded from {where}: that server knows that this mail was opened, from where, and when."
    return f"Pictures on other servers were not loaded ({where})."


def _note_document(sentence: str) -> str:
    return _document(f'<p class="of-desk">{html.escape(sentence)}</p>')


# ---------------------------------------------------------------------- files

_SAVED_AS = frozenset({*PICTURE_TYPES, "application/pdf", "text/plain", "text/csv", "message/rfc822"})
"""Types that are told to the browser; of everything else it hears that it is octets."""


def saved_as(content_type: str) -> str:
    return content_type if content_type in _SAVED_AS else "application/octet-stream"


def content_disposition(filename: str) -> str:
    """For saving (RFC 6266): no path, no control character, and an ASCII name for old clients."""
    name = saved_name(filename)
    plain = name.encode("ascii", "replace").decode("ascii").replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _file_headers(filename: str) -> dict[str, str]:
    fence = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return HEADERS | {"Content-Security-Policy": fence, "Content-Disposition": content_disposition(filename)}


_MOST_SOURCE = 1 << 20
"""Octets of a raw mail that are shown; all of it can be saved."""


def letter_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/mails/{mail_id:int}/letter")
    def letter(request: Request, signed: Reader, mail_id: Id, images: Annotated[bool, Query()] = False) -> Response:
        desk: WebDesk = request.app.state.desk
        with _opened(desk, _kept(desk, mail_id)) as octets:
            source = html_of(octets)
            shown = cleaned(source, pictures_of(octets), with_pictures=images)
        if not source:
            document = _note_document("This mail has no HTML: what is shown as its text is all of it.")
        else:
            document = letter_document(shown, with_pictures=images)
        return HTMLResponse(document, headers=frame_headers(with_pictures=images))

    @router.get("/mails/{mail_id:int}/source")
    def source(request: Request, signed: Reader, mail_id: Id, save: Annotated[bool, Query()] = False) -> Response:
        desk: WebDesk = request.app.state.desk
        return raw_mail(desk, _kept(desk, mail_id), f"mail-{mail_id}.eml", save=save)

    @router.get("/mails/{mail_id:int}/files/{number:int}")
    def file(request: Request, signed: Reader, mail_id: Id, number: Annotated[int, Path(ge=0, le=10_000)]) -> Response:
        desk: WebDesk = request.app.state.desk
        mail = _mail(desk, mail_id)
        if mail.inbound_id is None or number >= len(mail.attachments):
            raise actions.NoSuchThread(f"mail {mail_id} has no such file, or is not kept any more")
        wanted = mail.attachments[number]
        opened = ExitStack()
        octets = opened.enter_context(_opened(desk, mail.inbound_id))
        pieces = file_of(octets, wanted.sha256)
        if pieces is None:
            opened.close()
            raise actions.NoSuchThread(
                f"{wanted.filename or 'this file'} is packed into another file of the mail (winmail.dat): save that one"
            )
        return StreamingResponse(
            _closing(pieces, opened),
            media_type=saved_as(wanted.content_type),
            headers=_file_headers(wanted.filename or f"file-{number + 1}"),
        )

    return router


def _closing(pieces: Iterable[bytes], opened: ExitStack) -> Iterator[bytes]:
    with opened:
        yield from pieces


def raw_mail(desk: WebDesk, inbound_id: int, filename: str, *, save: bool) -> Response:
    """As it came: to be saved, or its beginning as text."""
    if save:
        opened = ExitStack()
        octets = opened.enter_context(_opened(desk, inbound_id))
        headers = _file_headers(filename)
        return StreamingResponse(_closing(slices(octets), opened), media_type="message/rfc822", headers=headers)
    with _opened(desk, inbound_id) as octets:
        text = octets[:_MOST_SOURCE].decode("utf-8", "replace")
        more = len(octets) - _MOST_SOURCE
    if more > 0:
        text += f"\n\n[{more} more octets: save the mail to see all of it]\n"
    fence = {"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'"}
    return PlainTextResponse(text, headers=HEADERS | fence)


def _mail(desk: WebDesk, mail_id: int) -> MailView:
    with desk.store.view() as unit:
        mail = unit.mail(mail_id)
    if mail is None:
        raise actions.NoSuchThread(f"there is no mail {mail_id}")
    return mail


def _kept(desk: WebDesk, mail_id: int) -> int:
    inbound_id = _mail(desk, mail_id).inbound_id
    if inbound_id is None:
        raise actions.NoSuchThread(f"mail {mail_id} was written here, or is not kept any more: only its text is here")
    return inbound_id


@contextmanager
def _opened(desk: WebDesk, inbound_id: int) -> Iterator[Octets]:
    """A mail as it came. Raises NoSuchThread where it is gone."""
    with ExitStack() as stack:
        try:
            octets = stack.enter_context(desk.store.opened(inbound_id))
        except StoreError as error:
            raise actions.NoSuchThread(str(error)) from error
        yield octets
