"""The shipped model, loaded once."""

import pytest
from tests.spec.desk import EXAMPLES, SHIPPED, previewed

from mailflow.adapters.examples import EXAMPLE_DESK, to_bytes
from mailflow.bootstrap import build_understanding
from mailflow.reading.understand import reader
from mailflow.services.triage import Preview, Triage
from mailflow.testing import FrozenClock


@pytest.fixture(scope="session")
def whole_desk() -> Triage:
    """The trained model with its certificate and the playbook; the desk judges as if it were live."""
    classifier, playbook = build_understanding(SHIPPED)
    return Triage(
        read=reader(EXAMPLE_DESK),
        classifier=classifier,
        playbook=playbook,
        desk_addresses=EXAMPLE_DESK.addresses,
        clock=FrozenClock(),
    )


@pytest.fixture(scope="session")
def by_model(whole_desk: Triage) -> dict[str, Preview]:
    """What the whole desk does with each example."""
    return {name: previewed(to_bytes(example), whole_desk) for name, example in EXAMPLES.items()}
