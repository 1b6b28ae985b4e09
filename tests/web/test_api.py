"""The REST interface: what the pages do, and nothing that anybody sends makes it fail."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from starlette.testclient import TestClient
from tests.services.office import question
from tests.web.desk_pages import RENDERER, WebOffice

from mailflow.web.api import api_router, described
from mailflow.web.app import create_app


@pytest.fixture
def api(desk: WebOffice) -> TestClient:
    desk.app = create_app(desk.app.state.desk, RENDERER, (api_router(),))
    desk.office.work(question(1), question(2, body="a quote, please"), question(3, body="a riddle"))
    token = desk.access.add_token("lee", "tests", desk.office.clock.now() - desk.office.clock.now().replace(year=2025))
    client = TestClient(desk.app, raise_server_exceptions=False)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_a_held_mail_is_found_read_and_answered(api: TestClient, desk: WebOffice) -> None:
    (row, *_) = api.get("/api/v1/threads", params={"q": "quote"}).json()["threads"]
    thread = api.get(f"/api/v1/threads/{row['id']}").json()
    assert thread["mails"][0]["intents"][0]["intent"] == "quoting"
    seen = {"version": thread["row"]["version"]}
    done = api.post(f"/api/v1/threads/{row['id']}/send", json=seen | {"markdown": "Hello **you**"})
    assert done.status_code == 200
    again = api.post(f"/api/v1/threads/{row['id']}/send", json=seen | {"markdown": "Something else"})
    assert again.status_code == 409
    assert again.headers["content-type"] == "application/problem+json"
    assert len(desk.send_all()) == 1


def test_an_answer_may_be_cancelled_until_it_leaves(api: TestClient, desk: WebOffice) -> None:
    row = api.get("/api/v1/threads", params={"q": "quote"}).json()["threads"][0]
    sent = api.post(f"/api/v1/threads/{row['id']}/send", json={"version": row["version"], "markdown": "Hello"}).json()
    assert api.post(f"/api/v1/outbox/{sent['entry_id']}/cancel").status_code == 200
    assert desk.send_all() == []
    assert api.post(f"/api/v1/outbox/{sent['entry_id']}/cancel").status_code == 422


def test_the_pages_of_a_list_follow_each_other(api: TestClient) -> None:
    first = api.get("/api/v1/threads", params={"box": "all", "limit": 2}).json()
    second = api.get("/api/v1/threads", params={"box": "all", "limit": 2, "after": first["next"]}).json()
    ids = [row["id"] for page in (first, second) for row in page["threads"]]
    assert sorted(ids) == [1, 2, 3]
    assert second["next"] is None


@pytest.mark.parametrize("path", ["threads/99", "threads/99/draft"])
def test_what_is_not_there_is_a_problem_with_a_sentence(api: TestClient, path: str) -> None:
    answer = api.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.json()["detail"]


def test_the_description_names_every_call(api: TestClient) -> None:
    said = api.get("/api/v1/openapi.json").json()
    assert said["openapi"].startswith("3.1")
    assert {"/api/v1/threads", "/api/v1/threads/{thread_id}/approve", "/api/v1/me"} <= set(said["paths"])
    json.dumps(said)


def test_nothing_that_is_sent_makes_it_fail(api: TestClient, desk: WebOffice) -> None:
    """Schemathesis draws requests from the description, those that break it too."""
    schema = schemathesis.openapi.from_dict(described(desk.app))
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), "the description cannot be read"
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=6,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def no_failure(case: Any) -> None:
            wanted = case.as_transport_kwargs(base_url="http://testserver")
            known = {
                key: wanted[key] for key in ("method", "url", "params", "json", "data", "headers") if key in wanted
            }
            headers = dict((known.pop("headers", None) or {}).items())
            answer = api.request(**known, headers=headers | {"Authorization": api.headers["Authorization"]})
            assert answer.status_code < 500, f"{case.method} {case.path}: {answer.text[:300]}"

        no_failure()
