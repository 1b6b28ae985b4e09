"""A text part's octets as the lines that its sender saw: charset, format=flowed, enriched text, mbox quoting."""

import re
from collections.abc import Mapping

from mailflow.reading.charset import decode


def plain_text(octets: bytes, content_type: str, parameters: Mapping[str, str]) -> str:
    """The text of a text/* part that is no HTML; `parameters` are those of its Content-Type. Lines end in LF."""
    text = decode(octets, parameters.get("charset", ""))
    if "\r" in text or "\f" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    if parameters.get("format", "").lower() == "flowed":
        text = _unflowed(text, parameters.get("delsp", "").lower() == "yes")
    if content_type in ("text/enriched", "text/richtext"):
        text = _enriched(text)
    if ">From " in text:
        text = _without_mbox_quoting(text)
    return text.strip("\n")


def _unflowed(text: str, delete_space: bool) -> str:
    """The paragraphs of format=flowed (RFC 3676, 4): a line that ends in a space goes on in the next."""
    paragraphs: list[list[str]] = []
    open_depth: int | None = None
    for raw in text.split("\n"):
        depth = len(raw) - len(raw.lstrip(">"))
        line = raw[depth:].removeprefix(" ")
        flows = line.endswith(" ") and line != "-- "
        content = line[:-1] if flows and delete_space else line
        if open_depth == depth and line != "-- ":
            paragraphs[-1].append(content)
        else:
            paragraphs.append([">" * depth + " " if depth else "", content])
        open_depth = depth if flows else None
    return "\n".join(map("".join, paragraphs))


_ENRICHED_TAG = re.compile(r"<(/?)([A-Za-z0-9-]{1,60})>")


def _enriched(text: str) -> str:
    """text/enriched without its commands (RFC 1896); `<<` is a literal."""
    text = re.sub(r"<param>[^<]{0,500}</param>", "", text, flags=re.IGNORECASE)
    return _ENRICHED_TAG.sub("", text.replace("<<", "\x02")).replace("\x02", "<")


def _without_mbox_quoting(text: str) -> str:
    """`>From ` as mailbox files write a line that begins with `From ` (RFC 4155); a quote has a `>` next to it."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        around = [*lines[max(number - 1, 0) : number], *lines[number + 1 : number + 2]]
        if line.startswith(">From ") and not any(other.startswith(">") for other in around):
            lines[number] = line[1:]
    return "\n".join(lines)
