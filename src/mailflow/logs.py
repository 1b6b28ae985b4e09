"""What the process logs, its own lines and those of libraries: one event a line, as JSON or for people.

    structlog and logging -> level, time, logger -> traceback -> what must not be told is cut -> one line

Rule: no address of a mail is in a log. Each becomes a short keyed hash; the same address gives the same hash, so that
      one partner's mails can be followed, and nobody without the key finds out whose they are.
      Why keyed: addresses are few enough to try them all on a plain hash.
Rule: no body, subject or name is in a log. Values under such names are cut, octets and what is long too, so that a
      line that somebody adds later leaks nothing either.
Rule: one event, one line. Control characters go, so that no mail and no server can forge a line or drive a terminal;
      what follows the first line of a traceback is indented.
Rule: values, not sentences: events are short names, what varies stands in keywords.
"""

import hashlib
import hmac
import logging
import re
import sys
from collections.abc import Mapping
from enum import Enum
from typing import Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

Form = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]

BODIES = frozenset(
    {"body", "text", "html", "content", "raw", "new_text", "subject", "snippet", "draft", "answer_text", "evidence"}
    | {"display_name", "password", "secret", "token", "access_token", "refresh_token", "client_secret", "headers"}
)
"""Keys whose values are never told, whatever is in them."""
LONGEST = 1_000
"""Characters of a value. Why: an error of a library may repeat what it failed on."""
LONGEST_TRACEBACK = 16_000
QUIET = {
    "imapclient": logging.WARNING,  # it would log mail at DEBUG
    "mailparser": logging.ERROR,
    "mail.log": logging.ERROR,  # aiosmtpd, of the demo: it warns of its own deprecated attributes
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,  # at DEBUG the header of a request, with its token
    "markdown_it": logging.WARNING,
    "asyncio": logging.INFO,
}
"""The lowest level at which a library is heard, also with level debug."""

# What may stand in a local part (RFC 5321, 4.1.2; RFC 6531), without the signs that text puts around addresses.
_ATEXT = r"[^\s<>()\[\]{},;:\"\\@|`'\x00-\x1f\x7f]"
_APOSTROPHE = rf"(?:(?<!{_ATEXT})[^\W\d_brufBRUF]')?"
"""O'Neil, d'Arc; but not b'...', which is how Python shows octets."""
_DOMAIN = r"(?:\[[\w.:-]+\]|\w(?:[\w.-]*\w)?)"
_ADDRESS = re.compile(
    rf"""(?: "(?:[^"\\\r\n]|\\.){{1,64}}"@ | {_APOSTROPHE} (?<!{_ATEXT}) {_ATEXT}+ (?:@|%40) )
         {_DOMAIN} (?: @ {_DOMAIN} )?""",
    re.VERBOSE,
)
"""An address wherever it stands; a second @ is that of `user@domain@server`."""
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_CONTROLS_BUT_LINES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_TRACEBACKS = frozenset({"exception", "stack"})
_FIRST = ("at", "level", "event", "logger")


def pseudonym(address: str, key: bytes) -> str:
    """What stands for `address` in the logs of a desk with this `key`; in any case of letters the same."""
    spelled = address.strip().lower().replace("%40", "@")
    return "addr:" + hmac.new(key, spelled.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:10]


def without_addresses(text: str, key: bytes) -> str:
    if "@" not in text and "%40" not in text:
        return text
    text = _LOGIN_IN_URL.sub("", text)
    return _ADDRESS.sub(lambda found: pseudonym(found[0], key), text)


class Censor:
    """The processor that lets nothing through that a log must not hold. The last one before the line is made."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {self._text(str(key), LONGEST): self._under(str(key), value) for key, value in event.items()}

    def _under(self, key: str, value: object) -> object:
        if key.lower() in BODIES:
            return _cut(value)
        if key in _TRACEBACKS:
            return self._lines(str(value))
        return self._value(value)

    def _value(self, value: object) -> object:
        match value:
            case None | bool() | int() | float():
                return value.value if isinstance(value, Enum) else value
            case bytes() | bytearray() | memoryview():
                return _cut(value)
            case Mapping():
                return {self._text(str(key), LONGEST): self._under(str(key), one) for key, one in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._value(one) for one in value]
            case _:
                return self._text(str(value), LONGEST)

    def _text(self, text: str, longest: int) -> str:
        """Hashed first and cut then: half an address would be told, or taken for another."""
        line = _CONTROLS.sub(" ", without_addresses(text, self._key))
        return line if len(line) <= longest else f"{line[:longest]} [{len(line)} characters]"

    def _lines(self, text: str) -> str:
        """A traceback: its end is what matters, so the beginning is what goes."""
        lines = _CONTROLS_BUT_LINES.sub(" ", without_addresses(text, self._key)).replace("\n", "\n    ")
        return lines if len(lines) <= LONGEST_TRACEBACK else f"[...] {lines[-LONGEST_TRACEBACK:]}"


def _cut(value: object) -> str:
    size = len(value) if isinstance(value, str | bytes | bytearray | memoryview | list | tuple | Mapping) else 1
    return f"[cut: {type(value).__name__} of {size}]"


def _ordered(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Time, level, event and logger first: a line is read from the left."""
    first = {key: event[key] for key in _FIRST if key in event}
    return first | {key: value for key, value in event.items() if key not in first}


def _renderer(form: Form, stream: TextIO) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), timestamp_key="at", exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )


_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at that moment, so that a test, or a command in one, may replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute in the base class
        return sys.stderr


def _handler(form: Form, key: bytes, stream: TextIO | None) -> logging.Handler:
    """Writes every record, of structlog or of logging, as one censored line."""
    made = logging.StreamHandler(stream) if stream else _StandardError()
    made.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                Censor(key),
                _ordered,
                _renderer(form, stream or sys.stderr),
            ],
        )
    )
    return made


def configure(form: Form, level: Level, key: bytes, stream: TextIO | None = None) -> None:
    """From here on everything that is logged in this process goes to `stream` (standard error), in this `form`.

    May be called again, as when the store's key is known: the last call holds.
    """
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, ProcessorFormatter)]:
        root.removeHandler(old)
    root.addHandler(_handler(form, key, stream))
    root.setLevel(level.upper())
    for name, lowest in QUIET.items():
        logging.getLogger(name).setLevel(max(lowest, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_SHARED,
            ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
