"""Bytes in, an understood mail out: the whole of reading in the order in which it happens; and what a model sees of it.

Rule: the worker and the training show a model the same of a mail, because both ask here.
"""

from mailflow.core.classification import ClassifierInput
from mailflow.core.message import Role, Trust
from mailflow.core.octets import Octets
from mailflow.core.partner import NO_PARTNERS, PartnerDirectory
from mailflow.core.storage import Read, Understood
from mailflow.reading import facts, origin, parse, sender


def understand(
    content: Octets, size: int | None, desk: sender.Desk, partners: PartnerDirectory = NO_PARTNERS
) -> Understood:
    """Read one mail. Total: bad mail yields defects. `size` is the size on the server where `content` was cut short."""
    message = parse.parse(content, size=size)
    return Understood(
        message=message,
        origin=origin.detect(message, content, desk),
        sender=sender.identify(message, desk, partners),
        facts=facts.find(message, desk),
    )


def reader(desk: sender.Desk) -> Read:
    """Reading in this process, without a deadline."""
    return lambda content, size, partners: understand(content, size, desk, partners)


def classifier_input(read: Understood) -> ClassifierInput:
    """What the model sees of an understood mail."""
    message, sender = read.message, read.sender
    return ClassifierInput(
        subject=message.subject,
        content=message.content_text,
        role=sender.role,
        is_authenticated_internal=sender.role is Role.INTERNAL and sender.trust is Trust.KNOWN,
        attachment_names=tuple(one.filename for one in message.attachments),
        has_deliverable="has_deliverable" in read.facts,
        has_quote=len(message.new_text) < len(message.text.strip()),
        cc_count=len(message.cc),
        language=message.language,
        origin=read.origin.kind.value,
    )
