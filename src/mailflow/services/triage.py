"""What mailflow would do with a mail that just arrived, without store and without sending.

    mailflow classify        -> triage:  the decision
    mailflow policy explain  -> explain: the decision as a receipt
    mailflow answer          -> preview: the answer, or the draft a specialist would find

Rule: the decision is the one of a desk that is live. What holds answers back for now (kill switch, rollout, quiet
hours) is told beside it. Why: who asks here wants to know what the desk understands, above all before it goes live.
"""

from dataclasses import dataclass, replace

from mailflow.core.classification import Action, Classification
from mailflow.core.message import Address, OutboundMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import NO_PARTNERS, PartnerDirectory
from mailflow.core.playbook import Audience, Playbook
from mailflow.core.policy import Case, Decision, History, decide, reply_address
from mailflow.core.ports import Classifier, Clock, Closing, Letter, RenderedAnswer, Renderer
from mailflow.core.receipt import COLLEAGUE, STRANGER, Receipt, receipt
from mailflow.core.reply import ReplyHeaders, compose
from mailflow.core.storage import Read, Understood
from mailflow.reading import thread
from mailflow.reading.understand import classifier_input


@dataclass(frozen=True, slots=True)
class Triaged:
    understood: Understood
    classification: Classification
    decision: Decision
    withheld: str = ""
    """Why an answer would not go out by itself now, though it is right; '' where it would."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be written to the sender."""

    decision: Decision
    answer: RenderedAnswer | None
    """None where no part of the mail has a path."""
    message: OutboundMessage | None
    """The answer as it would be sent; None without one, or where nobody can be answered."""


class Triage:
    def __init__(
        self,
        *,
        read: Read,
        classifier: Classifier,
        playbook: Playbook,
        desk_addresses: frozenset[str],
        clock: Clock,
        partners: PartnerDirectory = NO_PARTNERS,
    ) -> None:
        self._read, self._classifier = read, classifier
        self.playbook, self._live = playbook, playbook.as_if_live()
        self._desk_addresses, self._clock, self._partners = desk_addresses, clock, partners

    @property
    def version(self) -> str:
        """Of model and playbook."""
        return f"{self._classifier.version} {self.playbook.version}"

    def triage(self, content: Octets) -> Triaged:
        """Read, classify and decide one mail, as if nothing were known of its sender and it were new now.

        Raises PoisonMail for a mail that cannot be read in time.
        """
        understood, case = self._case(content)
        decision = decide(case, self._live)
        now = decide(case, self.playbook)
        withheld = now.reasons[0].sentence if now.action is not decision.action else ""
        return Triaged(understood, case.classification, decision, withheld)

    def explain(self, content: Octets) -> Receipt:
        """The decision that is made now, rollout included, with everything that was asked. Raises PoisonMail."""
        return receipt(self._case(content)[1], self.playbook)

    def preview(
        self,
        content: Octets,
        renderer: Renderer,
        *,
        desk_name: str,
        audience: Audience | None = None,
        language: str | None = None,
    ) -> Preview:
        """`audience`, `language`: in place of what the mail proves and is written in. Raises PoisonMail, AssetError."""
        _, case = self._case(content)
        if audience is not None and audience is not case.audience:
            case = replace(case, sender=COLLEAGUE if audience is Audience.INTERNAL else STRANGER)
        decision = decide(case, self._live)
        parts = decision.answers or decision.draft
        if not parts:
            return Preview(decision, None, None)
        letter = Letter(
            parts,
            case.message.from_.display_name if case.message.from_ else "",
            case.message.subject,
            case.message.language if language is None else language,
            Closing.AUTOMATIC if decision.action is Action.REPLY else Closing.PERSON,
        )
        answer, recipient = renderer.render(letter), reply_address(case.message)
        return Preview(decision, answer, self._composed(case, answer, recipient, desk_name) if recipient else None)

    def _composed(self, case: Case, answer: RenderedAnswer, recipient: Address, desk_name: str) -> OutboundMessage:
        address = min(self._desk_addresses)
        return compose(
            ReplyHeaders(
                message_id=f"preview@{address.rpartition('@')[2]}",
                desk_name=desk_name,
                desk_address=address,
                reverse_path=address,
                recipient=recipient.addr_spec,
                subject=case.message.subject,
                in_reply_to=case.message.message_id,
                references=thread.references_for_reply(case.message),
                date=self._clock.now(),
            ),
            answer,
        )

    def _case(self, content: Octets) -> tuple[Understood, Case]:
        understood = self._read(content, None, self._partners)
        case = Case(
            message=understood.message,
            origin=understood.origin,
            sender=understood.sender,
            classification=self._classifier.classify([classifier_input(understood)])[0],
            facts=understood.facts,
            history=History(),
            now=understood.message.date or self._clock.now(),
            desk_addresses=self._desk_addresses,
        )
        return understood, case
