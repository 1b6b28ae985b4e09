"""What mailflow would do with a mail that just arrived, without store and without sending: `mailflow classify`.

Rule: the decision is the one of a desk that is live. What holds answers back for now (kill switch, rollout, quiet
hours) is told beside it. Why: who asks here wants to know what the desk understands, above all before it goes live.
"""

from dataclasses import dataclass

from mailflow.core.classification import Classification
from mailflow.core.octets import Octets
from mailflow.core.partner import NO_PARTNERS
from mailflow.core.playbook import Playbook
from mailflow.core.policy import Case, Decision, History, decide
from mailflow.core.ports import Classifier, Clock
from mailflow.core.storage import Read, Understood
from mailflow.reading.understand import classifier_input


@dataclass(frozen=True, slots=True)
class Triaged:
    understood: Understood
    classification: Classification
    decision: Decision
    withheld: str = ""
    """Why an answer would not go out by itself now, though it is right; '' where it would."""


class Triage:
    def __init__(
        self,
        *,
        read: Read,
        classifier: Classifier,
        playbook: Playbook,
        desk_addresses: frozenset[str],
        clock: Clock,
    ) -> None:
        self._read, self._classifier, self._playbook = read, classifier, playbook
        self._desk_addresses, self._clock = desk_addresses, clock

    def triage(self, content: Octets) -> Triaged:
        """Read, classify and decide one mail, as if nothing were known of its sender and it were new now.

        Raises PoisonMail for a mail that cannot be read in time.
        """
        understood = self._read(content, None, NO_PARTNERS)
        classification = self._classifier.classify([classifier_input(understood)])[0]
        case = Case(
            message=understood.message,
            origin=understood.origin,
            sender=understood.sender,
            classification=classification,
            facts=understood.facts,
            history=History(),
            now=understood.message.date or self._clock.now(),
            desk_addresses=self._desk_addresses,
        )
        decision = decide(case, self._playbook.as_if_live())
        now = decide(case, self._playbook)
        withheld = now.reasons[0].sentence if now.action is not decision.action else ""
        return Triaged(understood, classification, decision, withheld)
