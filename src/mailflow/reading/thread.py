"""Which conversation a mail belongs to: identifiers, the subject as a hint, and the keyed token of our own answers.

Rule: only a token that this desk made admits a mail to a thread by itself; References are what the sender says.
Why: anybody can write somebody else's Message-ID into References. An answer of ours is named

    <mf.<thread id>.<token>.<unique>@domain>

where the token is HMAC-SHA-256 (RFC 2104) over the thread id, cut to 80 bits, in lower-case base32: only who got a mail
of this thread can know it. It says "this was sent in thread n"; whether the sender may write there the policy asks.
The same token stands in the address desk+mf.<thread id>.<token>@domain (RFC 5233), for clients that drop References.
Rule: identifiers are without angle brackets (core.message).
Rule: Thread-Index of Outlook is not looked at: everything in it is what the sender says.
"""

import base64
import hashlib
import hmac
import re
import unicodedata

from mailflow.core.conversation import Clues
from mailflow.core.message import InboundMessage

MAX_CANDIDATES = 50
MAX_REFERENCES_LENGTH = 900
"""Characters of a References field with brackets and blanks; a line may have 998 (RFC 5322, 2.1.1)."""
GENERATED_ID_DOMAIN = "mailflow.invalid"
"""The right side of the identifiers that parsing invents for mails without one."""
_TOKEN_OCTETS = 10
_MAX_THREAD_ID = 2**63 - 1
_TOKEN_CONTEXT = b"mailflow thread token 1:"
_OWN_ID = re.compile(r"mf\.(0|[1-9][0-9]{0,18})\.([a-z2-7]{16})\.[A-Za-z0-9._+-]+@[^@<>\s]+")

_OWN_DETAIL = re.compile(r"\+mf\.(0|[1-9][0-9]{0,18})\.([a-z2-7]{16})@", re.IGNORECASE)
_RECIPIENT_FIELDS = ("Delivered-To", "X-Original-To", "Envelope-To")
_SUBJECT_TAG = re.compile(r"\[MF-([1-9][0-9]{0,17})\]", re.IGNORECASE)
MAX_TAGS = 3
MAX_KEY = 200
"""Characters of a subject that tell what it is about; an index holds no more than about 2,700 octets of a row."""
MIN_SUBJECT_WORDS = 2
"""A subject of fewer words ("question", "NFR") says nothing of which matter it is."""

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_DOT_ATOM = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_MSG_ID = re.compile(rf"{_DOT_ATOM}@(?:{_DOT_ATOM}|\[[!-Z^-~]*\])")
"""RFC 5322, 3.6.4: id-left "@" id-right, without the obsolete forms."""

# What clients put before the subject of an answer or a forward, by language; each is followed by a colon.
_ANSWER_PREFIXES = """
    re res rép rif rv ref réf aw antw antwort sv vs vast ang svar odp odpověď vá atb ynt yan cevap bls balas rsp resp
    απ σχετ отв ответ на hà 返信 回复 回覆 答复 答覆 회신 답장
"""
_FORWARD_PREFIXES = """
    fw fwd wg weitergeleitet tr trs enc i vb doorst vl pd pf podane fs továbbítás továbbított ilt i̇lt προωθ πρθ пересл
    переслано nf rvb inoltro encaminhado reenviado reenv rm 转发 轉寄 転送 전달
"""
_PREFIXES = f"r {_ANSWER_PREFIXES} {_FORWARD_PREFIXES}".split()
_PREFIX = re.compile(
    r"(?:(?:" + "|".join(sorted(map(re.escape, _PREFIXES), key=len, reverse=True)) + r")\s*"
    r"(?:\[\d+\]|\(\d+\)|\^\d+|\*\d+|\d{1,2})?\s*[:：]\s*)",
    re.IGNORECASE,
)
_TAG = re.compile(r"\[[^\[\]]{0,80}\]\s*")
_TAG_AT_END = re.compile(r"\s*\[[^\[\]]{0,80}\]$")


def clues(message: InboundMessage, returned: tuple[str, ...], secret: bytes) -> Clues:
    """What `message` says of its thread. `returned`: Message-IDs that a bounce gives back; they count as references."""
    ids = (*candidates(message), *returned)
    named = (*(read_token(secret, one) for one in ids), *_addressed(message, secret))
    key = subject_key(message.subject)
    return Clues(
        tokens=tuple(dict.fromkeys(thread_id for thread_id in named if thread_id is not None)),
        message_ids=ids,
        tags=tuple(int(tag) for tag in _SUBJECT_TAG.findall(message.subject)[:MAX_TAGS]),
        subject_key=key if len(key.split()) >= MIN_SUBJECT_WORDS else "",
        requester=message.from_.addr_spec.lower() if message.from_ else "",
    )


def _addressed(message: InboundMessage, secret: bytes) -> tuple[int | None, ...]:
    """The threads that plus-addresses among the recipients name."""
    recipients = [address.addr_spec for address in (*message.to, *message.cc)]
    recipients += [value for name in _RECIPIENT_FIELDS for value in message.header_values(name)]
    found = (_OWN_DETAIL.search(recipient) for recipient in recipients)
    return tuple(_thread_of(secret, detail[1], detail[2].lower()) for detail in found if detail)


def reply_address(secret: bytes, thread_id: int, desk_address: str) -> str:
    """desk+mf.<thread id>.<token>@domain"""
    local, _, domain = desk_address.rpartition("@")
    return f"{local}+mf.{thread_id}.{reply_token(secret, thread_id)}@{domain}"


def candidates(message: InboundMessage) -> tuple[str, ...]:
    """Identifiers that may name the thread, most trusted first: References newest first, then In-Reply-To."""
    ids = dict.fromkeys((*reversed(message.references), *message.in_reply_to))
    return tuple(message_id for message_id in ids if message_id)[:MAX_CANDIDATES]


def subject_key(subject: str) -> str:
    """The subject without answer and forward prefixes and [tags], case folded, blanks squeezed. A hint, no proof.

    At most MAX_KEY characters.
    """
    key = " ".join(unicodedata.normalize("NFC", subject).casefold().split())
    while True:
        shorter = _without_affix(key)
        if shorter == key:
            return key[:MAX_KEY]
        key = shorter


def _without_affix(key: str) -> str:
    for pattern in (_PREFIX, _TAG):
        found = pattern.match(key)
        if found:
            return key[found.end() :]
    return _TAG_AT_END.sub("", key)


def reply_token(secret: bytes, thread_id: int) -> str:
    """The token of a thread, 16 characters. Raises ValueError for an empty secret or an impossible thread id."""
    if not secret:
        raise ValueError("the secret of the reply token is empty: everybody could make one")
    if not 0 <= thread_id <= _MAX_THREAD_ID:
        raise ValueError(f"no thread can have the id {thread_id}")
    digest = hmac.new(secret, _TOKEN_CONTEXT + str(thread_id).encode("ascii"), hashlib.sha256).digest()
    return base64.b32encode(digest[:_TOKEN_OCTETS]).decode("ascii").lower()


def read_token(secret: bytes, message_id: str) -> int | None:
    """The thread that an identifier of ours names; None for foreign and forged ones. Angle brackets are allowed."""
    found = _OWN_ID.fullmatch(message_id.strip().removeprefix("<").removesuffix(">"))
    return _thread_of(secret, found[1], found[2]) if found else None


def _thread_of(secret: bytes, number: str, token: str) -> int | None:
    thread_id = int(number)
    if not secret or thread_id > _MAX_THREAD_ID:
        return None
    return thread_id if hmac.compare_digest(token, reply_token(secret, thread_id)) else None


def is_valid_id(message_id: str) -> bool:
    """Whether it may be written into a header field as it is (RFC 5322, 3.6.4)."""
    return _MSG_ID.fullmatch(message_id) is not None


def references_for_reply(message: InboundMessage) -> tuple[str, ...]:
    """The References of an answer to `message`, oldest first (RFC 5322, 3.6.4), at most MAX_REFERENCES_LENGTH long.

    The parent's References (or its In-Reply-To, if that is a single one), then its Message-ID unless that is invented.
    Where that is too long the middle goes: the first names the thread, the last ones are what clients look at.
    """
    earlier = message.references or (message.in_reply_to if len(message.in_reply_to) == 1 else ())
    own = () if message.message_id.endswith("@" + GENERATED_ID_DOMAIN) else (message.message_id,)
    ids = dict.fromkeys(reference for reference in earlier if reference not in own)
    return _shortened([reference for reference in (*ids, *own) if is_valid_id(reference) and _cost(reference) <= 900])


def _shortened(references: list[str]) -> tuple[str, ...]:
    if sum(map(_cost, references)) <= MAX_REFERENCES_LENGTH:
        return tuple(references)
    first, newest = references[0], references[-1]
    room = MAX_REFERENCES_LENGTH - _cost(newest)
    head = [first] if _cost(first) <= room else []
    room -= sum(map(_cost, head))
    kept: list[str] = []
    for reference in reversed(references[1:-1]):
        room -= _cost(reference)
        if room < 0:
            break
        kept.insert(0, reference)
    return (*head, *kept, newest)


def _cost(reference: str) -> int:
    return len(reference) + len("<> ")
