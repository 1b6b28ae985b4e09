"""Facts that can be read from a mail alone: attachments, readers, and words that no automatic answer may overlook.

They are safety rails in front of a statistical model: such a fact holds a mail for a person (R6, D6, D8, A14, A30).
Rule for what the text says: precision first. A cue counts only where the sender says that it is so: not behind a
negation ("this is not a complaint"), not in a condition ("if it fails"), not in a question how ("how do I escalate?").
Why: a rail that fires on mere mention ("legal entity name", "security team") holds half of all mail, and then nobody
trusts it. `instructs_machine` knows no such excuse: an order to the machine is one even where it is conditional.
"""

import re
import unicodedata
from collections.abc import Iterator

from mailflow.core.message import Attachment, InboundMessage
from mailflow.reading.cues import CUES, MACHINE_ORDERS
from mailflow.reading.free_mail import is_free_mail
from mailflow.reading.sender import Desk


def find(message: InboundMessage, desk: Desk) -> frozenset[str]:
    """The members of core.playbook.FACTS that hold for `message`, less `is_follow_up`, which only the store knows."""
    table = {
        "has_attachment": any(map(is_content, message.attachments)),
        "has_deliverable": any(map(is_deliverable, message.attachments)),
        "has_cc": bool(_others(message, desk)),
        "mixed_recipients": is_mixed(message, desk),
        "is_free_mail": message.from_ is not None and is_free_mail(message.from_.domain),
    }
    spoken = _spoken(message)
    return frozenset(fact for fact, holds in table.items() if holds) | textual(spoken) | named(spoken)


# What is spoken of (A5, A9), and what is another vendor's

_NAMED = {
    "seeks_alliance": re.compile(
        r"\b(?:isvs?|alliance (?:partner\w*|program\w*)"
        r"|(?:tech|technology|technologie|integration) (?:partner\w*|alliance)"
        r"|partenaires? technologiques?|socios? tecnológicos?|parceir\w+ de tecnologia|technologiepartner\w*)\b"
        r"|技術パートナー|テクノロジーパートナー|アライアンス",
        re.IGNORECASE,
    ),
    "names_license": re.compile(
        r"\blicen[cs]\w*|\bactivation (?:code|key|mail|email)|\blizenz\w*|\baktivierungs\w+|\blicen[cç]\w+"
        r"|\blicenz\w+|ライセンス|アクティベーション",
        re.IGNORECASE,
    ),
    "names_customer": re.compile(
        r"\b(?:customers?|clients?|end[- ]?users?|subscriptions?|kund(?:e|en|in)|endkund\w+|client(?:e|es|s)?|final"
        r"|clienti?|klant(?:en)?|klient\w*|abonnements?|suscripci\w+|assinatura\w*)\b|顧客|お客様|サブスクリプション",
        re.IGNORECASE,
    ),
    "names_own_use": re.compile(
        r"\b(?:nfr|not[- ]for[- ]resale|labs?|demos?|sandbox|(?:our|my) own|internal (?:use|practice|lab))\b"
        r"|\b(?:eigene[nrs]?|intern\w*|propri[oa]s?|propia?s?|laborat\w+)\b|社内|自社|デモ",
        re.IGNORECASE,
    ),
}


_VENDORS = (
    r"(?:acronis|adobe|alibaba|amazon|atlassian|autodesk|aws|azure|barracuda|bitbucket|bitdefender|broadcom|checkpoint"
    r"|cisco|citrix|cloudflare|crowdstrike|databricks|datadog|dell|docker|docusign|dropbox|elastic|eset|fortinet|github"
    r"|google cloud|google workspace|hashicorp|hpe|hubspot|ibm|jetbrains|juniper|kaspersky|lenovo|microsoft|mongodb"
    r"|nutanix|odoo|okta|oracle|palo alto|proxmox|red ?hat|salesforce|sap|servicenow|shopify|snowflake|sophos|splunk"
    r"|suse|synology|trend micro|ubiquiti|veeam|vmware|zendesk|zoho|zscaler)"
)
_RESALE = r"(?:nfr|not[- ]for[- ]resale|partner\w*|partenaire\w*|socios?|parceir\w+|resell\w*|revend\w*|wiederverk\w*)"
_PROGRAMME = rf"(?:{_RESALE}|deals?|deal registration|certific\w*|zertifi\w*|rebates?|licen[cs]\w*|lizenz\w*)"
_BESIDE, _IN_ONE_SENTENCE = r"\b[\s\w'’-]{0,25}\b", r"\b[^.?!]{0,80}\b"
_OTHER_PROGRAMME = re.compile(
    rf"\b(?:{_VENDORS}{_BESIDE}{_PROGRAMME}|{_PROGRAMME}{_BESIDE}{_VENDORS}"
    rf"|{_VENDORS}{_IN_ONE_SENTENCE}{_RESALE}|{_RESALE}{_IN_ONE_SENTENCE}{_VENDORS})\b",
    re.IGNORECASE,
)
_OURS = re.compile("gitlab", re.IGNORECASE)


def named(text: str) -> frozenset[str]:
    """What `text` speaks of at all, whatever it says of it; of a very long one, its beginning."""
    plain = _plain(text)
    found = frozenset(fact for fact, words in _NAMED.items() if words.search(plain))
    is_elsewhere = _OTHER_PROGRAMME.search(plain) and not _OURS.search(plain)
    return found | {"other_programme"} if is_elsewhere else found


# Attachments (D6)


def _names(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


_SIGNATURE_TYPES = _names(
    r"application/(?:x-)?pkcs7-signature", r"application/pgp-(?:signature|keys)", r"text/(?:x-)?vcard", "text/directory"
)
_SIGNATURE_NAMES = _names(r".*\.(?:vcf|p7s)", r"(?:openpgp_)?signature(?:\.asc)?", r"(?:openpgp_)?0x[0-9a-f]+\.asc")
_DOCUMENT_NAMES = _names(
    r".*\.(?:pdf|docx?|docm|dotx?|rtf|od[tsp]|pages|numbers|xls[xmb]?|csv|tsv|pptx?|xps|tiff?)",
    r".*\.(?:zip|7z|rar|t?gz|eml|msg|p7m|xml|edi)",
)
_DOCUMENT_TYPES = _names(
    r"application/(?:pdf|msword|rtf|xml|edi-?\w+|(?:x-)?(?:zip|gzip|7z|rar)(?:-compressed)?|vnd\.rar)\b",
    r"application/vnd\.(?:ms-(?:excel|powerpoint|outlook|word)|openxmlformats-officedocument|oasis\.opendocument)\b",
    r"application/vnd\.apple\.(?:pages|numbers)",
    r"text/(?:csv|rtf|xml)|image/tiff|message/(?:rfc822|global)",
)
_DELIVERABLE_WORDS = _names(
    r"(?<![^\W_])(?:po|p o|purchase|order|invoice|sow|statement of work|proof|poe|quote|quotation|contract|agreement"
    r"|receipt"
    r"|bestellung|auftrag|rechnung|vertrag|angebot|commande|facture|contrat|devis|pedido|orden|factura|contrato|fatura"
    r"|ordine|fattura|contratto|inkooporder|bestelling|factuur|zamówienie|zamowienie|faktura|umowa)(?![^\W_])",
    "注文書|発注書|請求書|契約書|見積",
)
_SCREENSHOT = _names(
    r"screen[\s_-]?(?:shot|grab|cap)|bildschirmfoto|captur[ea]|schermata|schermafbeelding|zrzut|snip|スクリーンショット"
)


def is_content(attachment: Attachment) -> bool:
    """Whether a person attached it: no signature picture, business card or cryptographic signature."""
    if _SIGNATURE_TYPES.match(attachment.content_type) or _SIGNATURE_NAMES.fullmatch(attachment.filename):
        return False
    is_picture = attachment.content_type.lower().startswith("image/")
    return not (attachment.is_inline and is_picture) or bool(_SCREENSHOT.search(attachment.filename))


def is_deliverable(attachment: Attachment) -> bool:
    """Whether it is, or may hold, a document for a person: an order, an invoice, a statement of work, a proof."""
    if not is_content(attachment) or _SCREENSHOT.search(attachment.filename):
        return False
    if _DOCUMENT_NAMES.fullmatch(attachment.filename.strip()) or _DOCUMENT_TYPES.match(attachment.content_type):
        return True
    return bool(_DELIVERABLE_WORDS.search(re.sub(r"[_\-.+\d]+", " ", attachment.filename)))


# Recipients (A14, A15)


def _others(message: InboundMessage, desk: Desk) -> set[str]:
    """Who is in Cc beside the desk and the author."""
    author = {message.from_.addr_spec.lower()} if message.from_ else set()
    return {address.mailbox for address in message.cc} - desk.addresses - author


def is_mixed(message: InboundMessage, desk: Desk) -> bool:
    """Whether people of ours and strangers read along: both among To and Cc, or strangers beside an author of ours.

    A stranger who writes with one of ours in Cc is not mixed: the answer goes to the stranger and is fit for both.
    """
    recipients = {address.mailbox for address in (*message.to, *message.cc)} - desk.addresses
    is_ours = {addr_spec.rpartition("@")[2] in desk.own_domains for addr_spec in recipients}
    if message.from_ and message.from_.domain in desk.own_domains:
        is_ours.add(True)
    return is_ours == {True, False}


# What the text says


def _spoken(message: InboundMessage) -> str:
    """The new text with its subject, unless the subject was inherited from an earlier mail."""
    is_inherited = re.match(r"\s*\w{1,4}\s*[:：]", message.subject) is not None
    return message.new_text if is_inherited else f"{message.subject}\n\n{message.new_text}"


_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+(?!\d)|(?<=[。！？])|\n\s*\n|\n\s*(?=[-*•])")
_LONGEST_TEXT = 20_000


def textual(text: str) -> frozenset[str]:
    """The facts that the words of `text` state; of a very long one, its beginning."""
    facts: set[str] = set()
    for sentence in _sentences(_plain(text)):
        facts |= {fact for fact, cues in CUES.items() if _states(sentence, fact, cues)}
        if MACHINE_ORDERS.search(sentence):
            facts.add("instructs_machine")
    return frozenset(facts)


def _plain(text: str) -> str:
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text[:_LONGEST_TEXT])).replace("’", "'").lower()


def _sentences(text: str) -> Iterator[str]:
    squeezed = (" ".join(sentence.split()) for sentence in _SENTENCE_END.split(text))
    return (sentence for sentence in squeezed if sentence)


_CONDITION = re.compile(
    r"\b(?:if|unless|whether|in case|in the event|should (?:it|this|that|we|i|they)|suppose"
    r"|would(?! like| appreciate| be \w+ful)|falls|wenn|sollten?|ob|würden?(?! gern)|si|s'il|en cas|au cas où|en caso"
    r"|caso|qualora|se (?:il|la|lo|non|não|o|a)|als|indien|mocht|jeśli|jeżeli|gdyby|w przypadku)\b[^,;:—]*$",
    re.IGNORECASE,
)
"""It reaches to the next comma: in "if not, we will sue" the threat stands."""
_NEGATION = re.compile(
    r"(?:\b(?:not|no|nor|neither|without|\w+n't|kein\w*|nicht|ohne|pas|sans|aucun\w*|sin|nunca|ningun\w*|não|sem"
    r"|nenhum\w*|non|senza|nessun\w*|niet|geen|zonder|nie|bez|żadn\w*)\b)(?:\s+[\w'-]+){0,3}\W*$",
    re.IGNORECASE,
)
_HOW = re.compile(
    r"\b(?:how (?:do|does|can|could|should|would|to|are|is)|what happens|(?:where|who) (?:do|can|should)"
    r"|wie (?:kann|können|soll|geht|werden|wird)|comment|cómo|como (?:posso|faço|se)|come (?:posso|si)"
    r"|hoe (?:kan|kunnen|moet)|jak (?:mogę|można))\b[^,;:]*$",
    re.IGNORECASE,
)
_REACH = 300
"""Characters before a cue in which an excuse is looked for."""
_ASKED_IN_EARNEST = frozenset({"privacy", "security", "legal", "money_paid"})
"""Who asks how to report a hole or to have data deleted wants just that."""


def _states(sentence: str, fact: str, cues: re.Pattern[str]) -> bool:
    excuses = (_CONDITION, _NEGATION) if fact in _ASKED_IN_EARNEST else (_CONDITION, _NEGATION, _HOW)
    befores = (sentence[max(0, found.start() - _REACH) : found.start()] for found in cues.finditer(sentence))
    return any(not any(excuse.search(before) for excuse in excuses) for before in befores)
