"""The REST interface: what the pages do, and nothing that anybody sends makes it fail."""

import json
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient
from tests.databases import database_url
from tests.services.office import question
from tests.web.desk_pages import PASSWORD, RENDERER, WebOffice, web_office

from mailflow.core.classification import Action
from mailflow.core.message import OriginKind
from mailflow.core.replay import Done, Replayed, ReplayReport, report
from mailflow.core.review import Account, AccountRole
from mailflow.errors import ModelError
from mailflow.testing import NOON
from mailflow.web.api import api_router, described
from mailflow.web.api_models import ComparisonOut, models_router
from mailflow.web.app import create_app
from mailflow.web.learning import Candidate, Comparison, Comparisons


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return database_url(request)


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


@pytest.mark.parametrize("is_aimed", [False, True], ids=["whatever", "at what is there"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_nothing_that_is_sent_makes_it_fail(database: str, tmp_path: Path, is_aimed: bool) -> None:
    """Schemathesis draws requests from the description, those that break it too; every answer is what it describes.

    Aimed: the threads, mails and answers are there, and the version is the right one.
    """
    desk = web_office(tmp_path, database)
    with closing(desk.store):
        admin(desk)
        desk.office.work(question(1), question(2, body="a quote, please"), question(3, body="a riddle"))
        schema = schemathesis.openapi.from_dict(described(desk.app))
        schema.app = desk.app
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), "the description cannot be read"
            send_much(desk, found.ok(), is_aimed)


def send_much(desk: WebOffice, operation: APIOperation[Any, Any, Any, Any], is_aimed: bool) -> None:
    token = desk.access.add_token("ada", "tests", timedelta(days=1))

    @given(case=operation.as_strategy())
    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def no_failure(case: schemathesis.Case[Any]) -> None:
        if is_aimed:
            aim(case, desk)
        answer = case.call(base_url="http://testserver", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code < 500, f"{case.method} {case.path}: {answer.text[:300]}"
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    no_failure()


@dataclass(slots=True)
class OneModel:
    """A desk with a model that might go to work."""

    works: list[str] = field(default_factory=lambda: ["v1"])
    """Versions, the one that works last."""
    is_broken: bool = False

    def current(self) -> str:
        return self.works[-1]

    def previous(self) -> str:
        return self.works[-2] if len(self.works) > 1 else ""

    def candidates(self) -> list[tuple[str, str]]:
        return [("new", "v2")]

    def compare(self, name: str, mails: int, progress: Callable[[float, float], None]) -> ReplayReport:
        if self.is_broken:
            raise ModelError("its files are gone")
        progress(1, 1)
        before, after = (Done(action, (), ("quoting",), "") for action in (Action.REVIEW, Action.REPLY))
        row = Replayed(2, 2, "", "", NOON, OriginKind.HUMAN, before, after, None)
        return report("v1", "v2", [row], 10)

    def promote(self, name: str, actor: str) -> None:
        self.works.append("v2")

    def roll_back(self, actor: str) -> None:
        if len(self.works) == 1:
            raise ModelError("there is no model before this one")
        self.works.pop()


def compared(ada: TestClient) -> dict[str, Any]:
    """The comparison, when it is over."""
    assert ada.post("/api/v1/models/new/compare").status_code == 202
    for thread in threading.enumerate():
        if thread.name == "compare":
            thread.join()
    return dict(ada.get("/api/v1/models/new/comparison").json())


def test_a_model_is_compared_promoted_and_rolled_back(desk: WebOffice) -> None:
    admin(desk)
    ada = as_(desk, "ada")
    assert ada.get("/api/v1/models/new/comparison").status_code == 404
    assert ada.post("/api/v1/models/new/promote").status_code == 409, "nothing is known of it"
    said = compared(ada)
    assert said["share"] == 1
    assert said["report"]["counts"]["gains an answer"] == 1
    assert said["report"]["rows"][0]["after"]["action"] == "reply"
    assert ada.post("/api/v1/models/new/promote").json()["current"] == "v2"
    assert ada.get("/api/v1/models").json()["previous"] == "v1"
    assert ada.get("/api/v1/models").json()["candidates"][0]["is_compared"] is False, "with one that works no more"
    assert ada.post("/api/v1/models/new/promote").status_code == 409
    assert ada.post("/api/v1/models/rollback").json()["current"] == "v1"
    assert ada.post("/api/v1/models/rollback").status_code == 409
    assert ada.post("/api/v1/models/other/promote").status_code == 404


def test_a_comparison_that_failed_says_why_and_promotes_nothing(desk: WebOffice) -> None:
    admin(desk, OneModel(is_broken=True))
    ada = as_(desk, "ada")
    said = compared(ada)
    assert (said["report"], said["error"]) == (None, "its files are gone")
    assert ada.post("/api/v1/models/new/promote").status_code == 409


def test_a_comparison_is_told_row_by_row() -> None:
    held = Done(Action.REVIEW, (), ("quoting",), "why")
    answered = Done(Action.REPLY, ("quoting.external",), ("quoting",), "")
    row = Replayed(7, 3, "A quote", "ann@partner.example", NOON, OriginKind.HUMAN, held, answered, None)
    told = ComparisonOut.of(Comparison(Candidate("new", "v2"), report=report("v1", "v2", [row], 10)))
    (shown,) = json.loads(told.model_dump_json())["report"]["rows"]
    assert shown == {
        "mail_id": 7,
        "thread_id": 3,
        "change": "gains an answer",
        "may_loop": False,
        "received_at": "2026-03-02T12:00:00Z",
        "before": {"action": "review", "templates": [], "intents": ["quoting"], "reason": "why"},
        "after": {"action": "reply", "templates": ["quoting.external"], "intents": ["quoting"], "reason": ""},
    }


def admin(desk: WebOffice, models: OneModel | None = None) -> None:
    """The whole interface, and somebody who may do all of it."""
    further = (api_router(), models_router(Comparisons(models or OneModel())))
    desk.app = create_app(desk.app.state.desk, RENDERER, further)
    desk.access.add(Account("ada", "Ada", AccountRole.ADMIN), PASSWORD, "test")


def aim(case: schemathesis.Case[Any], desk: WebOffice) -> None:
    for name in case.path_parameters or {}:
        if name.endswith("_id") and name != "token_id":
            case.path_parameters[name] = 1 + len(str(case.body)) % 3
    if isinstance(case.body, dict) and "version" in case.body and "thread_id" in (case.path_parameters or {}):
        case.body["version"] = desk.view(case.path_parameters["thread_id"]).row.version


# ---------------------------------------------------------------------- one by one


def as_(desk: WebOffice, name: str) -> TestClient:
    client = TestClient(desk.app, raise_server_exceptions=False)
    client.headers["Authorization"] = f"Bearer {desk.access.add_token(name, 'tests', timedelta(days=1))}"
    return client


def test_a_thread_that_changed_is_told_with_what_is_new(api: TestClient, desk: WebOffice) -> None:
    row = api.get("/api/v1/threads", params={"q": "quote"}).json()["threads"][0]
    thread = api.get(f"/api/v1/threads/{row['id']}").json()
    desk.clock.advance(timedelta(minutes=1))
    seen = {"version": row["version"]}
    as_(desk, "kim").post(f"/api/v1/threads/{row['id']}/escalate", json=seen | {"why": "they call"})
    refused = api.post(f"/api/v1/threads/{row['id']}/close", json=seen | {"seen_at": thread["read_at"]})
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["version"] == desk.view(row["id"]).row.version
    assert [(one["actor"], one["kind"], one["sentence"]) for one in problem["news"]] == [
        ("kim", "escalated", "they call")
    ]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("version", [2**31, 2**53])
def test_a_version_that_no_thread_can_have_is_none_that_was_seen(database: str, tmp_path: Path, version: int) -> None:
    desk = web_office(tmp_path, database)
    with closing(desk.store):
        admin(desk)
        desk.office.work(question(3, body="a riddle"))
        ada, said = as_(desk, "ada"), {"version": version, "why": "urgent"}
        assert ada.post("/api/v1/threads/1/escalate", json=said).status_code == 409
        form = {"version": version, "at": NOON.isoformat(), "why": "urgent"}
        assert desk.person("sam").post("/threads/1/escalate", form).status in (409, 422)


def test_who_has_changed_it_himself_goes_on(api: TestClient) -> None:
    thread = api.get("/api/v1/threads/2").json()
    seen = {"version": thread["row"]["version"], "seen_at": thread["read_at"]}
    assert api.post("/api/v1/threads/2/assign", json=seen | {"assignee": "lee"}).status_code == 200
    assert api.post("/api/v1/threads/2/close", json=seen).status_code in (200, 409)


@pytest.mark.parametrize(
    "query",
    ["after=yesterday", "after=2026-03-02T12:00:00~1", "older=2d", "box=none", "limit=0", "limit=201", "sort=up"],
)
def test_a_filter_that_cannot_be_read_does_not_show_everything(api: TestClient, query: str) -> None:
    answer = api.get(f"/api/v1/threads?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_raw_mail_is_saved_and_never_shown(api: TestClient) -> None:
    raw = api.get("/api/v1/mails/1/raw")
    assert raw.content == question(1)
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"].startswith("attachment;")
    written_here = max(mail["id"] for mail in api.get("/api/v1/threads/1").json()["mails"])
    assert api.get(f"/api/v1/mails/{written_here}/raw").status_code == 404


def test_counts_and_news_say_what_waits_and_what_happened(api: TestClient, desk: WebOffice) -> None:
    counts = api.get("/api/v1/counts").json()
    assert (counts["boxes"]["held"], counts["boxes"]["drafts"], counts["quarantine"]) == (2, 1, 0)
    begin = api.get("/api/v1/news").json()
    assert begin["threads"] == []
    api.post("/api/v1/threads/3/note", json={"text": "hm"})
    assert api.get("/api/v1/news", params={"after": begin["newest"]}).json()["threads"] == [3]


def test_others_see_who_looks(api: TestClient, desk: WebOffice) -> None:
    as_(desk, "vera").post("/api/v1/threads/3/look")
    assert api.post("/api/v1/threads/3/look").json()["present"] == ["lee", "vera"]


def test_views_are_one_s_own(api: TestClient, desk: WebOffice) -> None:
    saved = api.put("/api/v1/views/urgent", json={"query": "box=held&priority=urgent&nonsense=1"})
    assert saved.status_code == 204
    (view,) = api.get("/api/v1/views").json()["views"]
    assert (view["name"], view["query"]) == ("urgent", "box=held&priority=urgent")
    others = as_(desk, "kim")
    assert others.get("/api/v1/views").json()["views"] == []
    others.delete(f"/api/v1/views/{view['id']}")
    assert len(api.get("/api/v1/views").json()["views"]) == 1
    api.delete(f"/api/v1/views/{view['id']}")
    assert api.get("/api/v1/views").json()["views"] == []


def test_tokens_are_one_s_own_and_shown_once(api: TestClient, desk: WebOffice) -> None:
    token = api.post("/api/v1/tokens", json={"what_for": "reports", "days": 1}).json()["token"]
    listed = api.get("/api/v1/tokens").json()["tokens"]
    (known,) = [one for one in listed if one["what_for"] == "reports"]
    assert token not in json.dumps(listed)
    assert as_(desk, "kim").delete(f"/api/v1/tokens/{known['id']}").status_code == 404
    bearer = {"Authorization": f"Bearer {token}"}
    assert api.get("/api/v1/me", headers=bearer).status_code == 200
    assert api.delete(f"/api/v1/tokens/{known['id']}").status_code == 204
    assert api.get("/api/v1/me", headers=bearer).status_code == 401


def test_accounts_are_made_and_changed_and_the_last_admin_stays(desk: WebOffice) -> None:
    admin(desk)
    ada = as_(desk, "ada")
    new = {"name": "ben", "role": "lead", "time_zone": "Europe/Berlin", "password": "a long enough password"}
    assert ada.post("/api/v1/accounts", json=new).status_code == 201
    assert ada.post("/api/v1/accounts", json=new).status_code == 422
    assert ada.post("/api/v1/accounts", json=new | {"name": "joe", "password": "short"}).status_code == 422
    assert ada.patch("/api/v1/accounts/ben", json={"is_active": False}).json()["is_active"] is False
    assert ada.patch("/api/v1/accounts/nobody", json={"role": "lead"}).status_code == 404
    assert ada.patch("/api/v1/accounts/ada", json={"role": "lead"}).status_code == 409
    assert ada.patch("/api/v1/accounts/ada", json={"is_active": False}).status_code == 409
    assert [one["name"] for one in ada.get("/api/v1/accounts").json()["accounts"]][:2] == ["ada", "ben"]


def test_one_changes_one_s_own_time_zone_and_nothing_else(api: TestClient) -> None:
    assert api.patch("/api/v1/me", json={"time_zone": "Asia/Tokyo"}).json()["time_zone"] == "Asia/Tokyo"
    assert api.patch("/api/v1/me", json={"time_zone": "Mars/Olympus"}).status_code == 422
    assert api.patch("/api/v1/me", json={"time_zone": "UTC", "role": "admin"}).status_code == 422


def test_a_draft_of_another_is_not_overwritten(api: TestClient, desk: WebOffice) -> None:
    kim = as_(desk, "kim")
    kept = kim.put("/api/v1/threads/2/draft", json={"markdown": "Hello"}).json()
    desk.clock.advance(timedelta(seconds=1))
    refused = api.put("/api/v1/threads/2/draft", json={"markdown": "Mine"})
    assert refused.status_code == 409
    assert refused.json()["draft"]["markdown"] == "Hello"
    taken = api.put("/api/v1/threads/2/draft", json={"markdown": "Mine", "known_at": kept["at"]})
    assert taken.status_code == 200
    assert api.get("/api/v1/threads/2/draft").json()["by"] == "lee"


def test_nobody_approves_or_sends_over_a_text_that_he_was_not_shown(api: TestClient, desk: WebOffice) -> None:
    said = {"version": desk.view(2).row.version}
    before = api.get("/api/v1/threads/2/draft").json()
    kim = as_(desk, "kim")
    kept = kim.put("/api/v1/threads/2/draft", json={"markdown": "Half a"}).json()
    refused = api.post("/api/v1/threads/2/approve", json=said | {"shown": before["shown"]})
    assert refused.status_code == 409
    assert refused.json()["answer"]["markdown"] == "Half a"
    assert api.post("/api/v1/threads/2/approve", json=said).status_code == 422, "it must be said"
    assert api.post("/api/v1/threads/2/send", json=said | {"markdown": "Mine"}).status_code == 409
    assert api.delete("/api/v1/threads/2/draft").status_code == 409
    assert api.post("/api/v1/threads/2/canned", json={"name": "nfr_submitted"}).status_code == 409
    assert api.delete("/api/v1/threads/2/draft", params={"known_at": kept["at"]}).status_code == 200
    assert api.post("/api/v1/threads/2/approve", json=said | {"shown": before["shown"]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('{"version": "\\ud800"}', "body.version"),
        ('{"version": 1, "markdown": "\\ud800"}', "body.markdown"),
        ('{"version": 1e400, "markdown": ""}', "body.version"),
        ('{"version": 1, "markdown": "", "mystery": 1}', "body.mystery"),
    ],
)
def test_what_no_answer_could_repeat_is_said_to_be_wrong(api: TestClient, body: str, where: str) -> None:
    """A lone surrogate, an infinity: neither may be given back, for no JSON holds it."""
    answer = api.post("/api/v1/threads/2/send", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert where in {one["where"] for one in answer.json()["mistakes"]}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 50_000, b"1" * 5_000, b""])
def test_what_is_no_json_is_a_sentence(api: TestClient, content: bytes) -> None:
    answer = api.post("/api/v1/threads/2/send", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_request_that_another_site_made_is_a_problem_too(api: TestClient, desk: WebOffice) -> None:
    client = TestClient(desk.app)
    answer = client.post("/api/v1/threads/2/close", json={"version": 1}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
