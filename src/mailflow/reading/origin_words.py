"""Signs of an automaton that people produce by accident: the name of the address, words of the subject and the text.

Rule: they count only where the header does not say `Auto-Submitted: no`.
Rule: what a person forwards is not that person's own words. A question that is no mere `Urgent?` is a person's.
Rule: a text as long as our answers that says that it is an automatic answer counts as a list's: it is never answered,
but not thrown away. Why: it may be an answer of ours below a person's words, by a mail program that marks no quotes.
Rule: an away note without a header is short, says it first, asks for nothing, and says beside it what only such notes
say, or else nothing at all. Why so much: people who go on leave write mails as well, and theirs must not be lost.
"""

import re
from collections.abc import Iterator

from mailflow.core.message import InboundMessage, OriginKind
from mailflow.reading import away_words, machine_senders, notice_words

_LONGEST_SUBJECT = 998
"""RFC 5322, 2.1.1."""
_FEW_WORDS = 700
"""Characters of a text that is short enough to be nothing but an automatic answer."""
_SHORTEST_ANSWER = 250
"""Characters that an answer of ours has at least."""
_FIRST_SENTENCES = 4
_END = 700
"""Characters of a text that are read from its beginning and from its end."""
_HEAD, _TAIL = 3, 4
"""Sentences at the two ends of a text in which programs say that they are programs."""
_SMALL_TALK = 22
"""Characters of a sentence that says nothing of its own: a greeting, a name, a place."""
_MAX_STRANGE = 2
"""Sentences of their own that an away note may have behind its first words."""

_Found = tuple[OriginKind, str]

_FORWARD_SUBJECT = re.compile(r"\s*(?:fwd?|wg|tr|rv|i|enc|vl|pd|doorst)\s*:", re.IGNORECASE)
_FORWARD_TEXT = re.compile(
    r"^[ \t>]{0,9}[->][-> \t]{1,40}[^\n]{0,40}?(?:forward|original|weitergeleitet|transféré|reenviad)"
    r"|^[^\w\n]{0,9}(?:from|von|de|da|van|fra|från|lähettäjä)\s?:\s",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\d\.)[ \t]+|(?<=[。！？])")
_CONTACT = re.compile(r"\S@\S|https?://|\+?\d[\d ()/-]{6,}")


def signs(message: InboundMessage) -> Iterator[_Found]:
    """Every such sign of `message`, with the words that show it."""
    if machine_senders.is_machine(message):
        sender = message.from_
        yield OriginKind.AUTO_GENERATED, f"From: {sender.addr_spec if sender else '<>'}"
    text = message.new_text
    sentences = _sentences(text)
    yield from _subject_signs(message, text, sentences)
    if not is_forward(message):
        yield from _text_signs(message, text, sentences)


def is_forward(message: InboundMessage) -> bool:
    return bool(_FORWARD_SUBJECT.match(message.subject) or _FORWARD_TEXT.search(message.new_text))


def has_question(message: InboundMessage) -> bool:
    """Whether a person asks; `Urgent?` and `Need help?` ask nothing."""
    return _is_question(_sentences(message.new_text))


def _sentences(text: str) -> list[str]:
    """The sentences at both ends of a text, the whole of a short one; a line ends a sentence."""
    ends = text if len(text) <= 2 * _END else f"{text[:_END]}\n{text[-_END:]}"
    parts = (part.strip() for line in ends.splitlines() for part in _SENTENCE_END.split(line))
    return [part for part in parts if part]


def _subject_signs(message: InboundMessage, text: str, sentences: list[str]) -> Iterator[_Found]:
    subject = " ".join(message.subject[:_LONGEST_SUBJECT].split())
    is_notice = notice_words.SUBJECT.match(subject) is not None
    is_away = away_words.SUBJECT.match(subject) is not None and not _is_question(sentences)
    is_thanks = notice_words.THANKS_SUBJECT.match(subject) is not None and not (
        len(text) > _FEW_WORDS or _asks(sentences)
    )
    if is_notice or is_away or is_thanks:
        yield OriginKind.AUTO_REPLIED, f"Subject: {subject}"


def _text_signs(message: InboundMessage, text: str, sentences: list[str]) -> Iterator[_Found]:
    ends = (*sentences[:_HEAD], *sentences[-_TAIL:])
    machine = next(filter(notice_words.MACHINE.match, ends), "")
    unanswered = "" if machine else next(filter(notice_words.NO_ANSWER.match, ends), "")
    if machine or (unanswered and not _asks(sentences)):
        is_answer = len(text) > _SHORTEST_ANSWER and notice_words.MACHINE_ANSWER.search(machine) is not None
        kind = OriginKind.LIST if is_answer else OriginKind.AUTO_GENERATED
        yield kind, f"the text says: {machine or unanswered}"
    if not text or len(text) > _FEW_WORDS:
        return
    flat = " ".join(sentences)
    is_question = _is_question(sentences)
    rules = (
        "" if is_question else _about(message.subject, flat),
        _challenge(flat),
        _acknowledgement(message.subject, sentences, flat),
        "" if is_question else _away_note(message, sentences),
    )
    for words in filter(None, rules):
        yield OriginKind.AUTO_REPLIED, f"the text says: {words}"


def _is_question(sentences: list[str]) -> bool:
    return any(one.endswith(("?", "？")) and (len(one.split()) > 2 or not one.isascii()) for one in sentences)


def _asks(sentences: list[str]) -> bool:
    """Whether a person wants something: a question or a request."""
    return _is_question(sentences) or away_words.ASKS.search(" ".join(sentences)) is not None


# ---- notices ------------------------------------------------------------------------------------------------


def _about(subject: str, flat: str) -> str:
    """A receipt, the answer to an invitation, a recall: the text says what the subject says."""
    for about, says in notice_words.ABOUT:
        found = says.search(flat) if about.match(subject) else None
        if found:
            return found[0]
    return ""


def _challenge(flat: str) -> str:
    found = notice_words.HELD.search(flat)
    return found[0] if found and notice_words.PROVE.search(flat) else ""


def _acknowledgement(subject: str, sentences: list[str], flat: str) -> str:
    """A desk's word that it got something, beside a ticket's number or the promise of an answer."""
    found = next(filter(None, map(notice_words.RECEIVED.match, sentences[:_FIRST_SENTENCES])), None)
    if not found or "?" in flat or "？" in flat or notice_words.BUT.search(flat):
        return ""
    is_ticket = notice_words.TICKET.search(f"{subject} {flat}") is not None
    is_promise = notice_words.WILL_ANSWER.search(flat) is not None and not away_words.ASKS.search(flat)
    return found[0] if is_ticket or is_promise else ""


# ---- away notes ---------------------------------------------------------------------------------------------


def _away_note(message: InboundMessage, sentences: list[str]) -> str:
    """The words that say that the writer is away, '' where the text is not a note about just that."""
    found = _away(_sentences(message.content_text) or sentences)
    return "" if found and away_words.ASKS.search(" ".join(sentences)) else found


def _away(sentences: list[str]) -> str:
    for position, sentence in enumerate(sentences):
        found = away_words.ABSENT.search(sentence)
        if found:
            rest = sentences[position + 1 :]
            strange = sum(_is_strange(one) for one in rest)
            is_note = any(away_words.NOTE.search(one) for one in sentences)
            return found[0] if strange <= (_MAX_STRANGE if is_note else 0) else ""
        if _is_strange(sentence):
            return ""
    return ""


def _is_strange(sentence: str) -> bool:
    """Whether a sentence says something that away notes do not."""
    known = (
        away_words.COURTESY.match,
        away_words.THANKS.search,
        away_words.NOTE.search,
        away_words.ABSENT.search,
        _CONTACT.search,
    )
    return len(sentence) > _SMALL_TALK and not any(search(sentence) for search in known)
