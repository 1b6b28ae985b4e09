"""The shipped model, loaded once."""

import pytest
from tests.spec.desk import EXAMPLES, SHIPPED, previewed, triage_of

from mailflow.adapters.examples import to_bytes
from mailflow.bootstrap import build_understanding
from mailflow.services.triage import Preview, Triage


@pytest.fixture(scope="session")
def whole_desk() -> Triage:
    """The trained model with what its certificate asks, and the playbook."""
    return triage_of(*build_understanding(SHIPPED))


@pytest.fixture(scope="session")
def by_model(whole_desk: Triage) -> dict[str, Preview]:
    """What the whole desk does with each example."""
    return {name: previewed(to_bytes(example), whole_desk) for name, example in EXAMPLES.items()}
