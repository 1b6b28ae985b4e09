"""The playbook, the links and the templates as files: what is read, and what is refused with a helpful sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mailflow.adapters.assets import load_links, load_playbook, load_templates, load_words
from mailflow.core.playbook import Audience
from mailflow.errors import AssetError

DEFAULTS = """\
kill_switch: false
rollout: live
canary_share: 0.1
read_languages: [en]
answer_languages: []
min_confidence: 0.5
min_further_confidence: 0.5
min_reply_probability: 0.6
min_ignore_probability: 0.6
sure_ignore_probability: 0.95
max_pathless_doubt: 0.15
max_age_days: 14
silent_intents: []
hold_if: [is_follow_up]
send_budget: {per_thread: 1, per_sender_and_intent_3_hours: 2, per_sender_day: 5, per_domain_hour: 20,
  per_template_hour: 60, desk_hour: 200}
"""

GREETING = """\
intent: greeting
title: Your greeting
description: Says hello.
in_scope: true
rules: [R5]
audiences:
  external: {action: send, template: greeting.external, rules: [R5]}
  internal: {action: never}
queue: general
"""


@pytest.fixture
def classifiers(tmp_path: Path) -> Path:
    root = tmp_path / "classifiers"
    (root / "intents").mkdir(parents=True)
    (root / "intents" / "_defaults.yaml").write_text(DEFAULTS)
    (root / "intents" / "greeting.yaml").write_text(GREETING)
    (root / "links.yaml").write_text(
        "portal: {label: Portal, url: 'https://p.example/', rules: [R26], audience: both}\n"
    )
    (root / "slots.yaml").write_text("seats: {ask: the number of users, patterns: [ten users]}\n")
    return root


# --- loading ----------------------------------------------------------------------------------------------------------


def test_the_playbook_is_read_by_file_name(classifiers: Path) -> None:
    playbook = load_playbook(classifiers)
    assert list(playbook.intents) == ["greeting"]
    assert playbook.intents["greeting"].audiences[Audience.EXTERNAL].template == "greeting.external"
    assert playbook.defaults.send_budget.per_domain_hour == 20


@pytest.mark.parametrize("file", ["intents/greeting.yaml", "intents/_defaults.yaml", "links.yaml", "slots.yaml"])
def test_any_changed_byte_changes_the_version(classifiers: Path, file: str) -> None:
    before = load_playbook(classifiers).version
    assert load_playbook(classifiers).version == before
    path = classifiers / file
    path.write_text(path.read_text() + "# a comment\n")
    after = load_playbook(classifiers).version
    assert len(before) == len(after) == 12
    assert after != before


def rewrite(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


REFUSED: list[tuple[str, Callable[[Path], object], list[str]]] = [
    (
        "unknown key",
        rewrite("intents/greeting.yaml", "{action: send,", "{acton: send,"),
        ["greeting.yaml", "audiences.external.acton is not a known key", "did you mean `action`?"],
    ),
    (
        "unknown key without a likeness",
        rewrite("intents/greeting.yaml", "queue:", "zzzz: 1\nqueue:"),
        ["zzzz is not a known key", "remove it"],
    ),
    ("missing key", rewrite("intents/greeting.yaml", "queue: general", ""), ["queue is missing", "add it"]),
    (
        "unknown action",
        rewrite("intents/greeting.yaml", "action: send", "action: sned"),
        ["'send', 'draft' or 'never'"],
    ),
    (
        "no rule number",
        rewrite("intents/greeting.yaml", "rules: [R5]", "rules: [rule 5]"),
        ["rules.0", "mend the value"],
    ),
    ("file and intent differ", rewrite("intents/greeting.yaml", "intent: greeting", "intent: hello"), ["`hello`"]),
    (
        "a key twice",
        rewrite("intents/greeting.yaml", "queue:", "title: Other\nqueue:"),
        ["`title` stands twice", "line"],
    ),
    ("not YAML", rewrite("intents/greeting.yaml", "title: Your", "title: [Your"), ["is not valid YAML", "line"]),
    ("probability over 1", rewrite("intents/_defaults.yaml", "0.5", "1.5"), ["_defaults.yaml", "min_confidence"]),
    (
        "a slot that is asked for but not looked for",
        rewrite("intents/greeting.yaml", "queue:", "needed: [seats]\nqueue:"),
        ["needed names seats", "add it there"],
    ),
    (
        "an unknown branch",
        rewrite("intents/greeting.yaml", "queue:", "branches: {by: weather, unknown: all}\nqueue:"),
        ["branches.by", "'route', 'membership' or 'license'"],
    ),
    (
        "an unknown time zone",
        rewrite(
            "intents/greeting.yaml",
            "queue:",
            "quiet_hours: {start: '20:00', end: '06:00', time_zone: Mars/North}\nqueue:",
        ),
        ["quiet_hours.time_zone", "Europe/Berlin"],
    ),
    (
        "a slot without a pattern",
        lambda root: (root / "slots.yaml").write_text("seats: {ask: seats, patterns: []}\n"),
        ["slots.yaml", "seats.patterns"],
    ),
    ("not UTF-8", lambda root: bad_bytes(root / "intents" / "greeting.yaml"), ["is not UTF-8"]),
    ("no defaults", lambda root: (root / "intents" / "_defaults.yaml").unlink(), ["_defaults.yaml", "cannot be read"]),
    ("no intents", lambda root: (root / "intents" / "greeting.yaml").unlink(), ["no intent is here"]),
]


def bad_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# \xff\n")


@pytest.mark.parametrize(("change", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_bad_playbook_is_refused_with_a_helpful_sentence(
    classifiers: Path, change: Callable[[Path], object], expected: list[str]
) -> None:
    change(classifiers)
    with pytest.raises(AssetError) as caught:
        load_playbook(classifiers)
    for words in expected:
        assert words in str(caught.value)


@pytest.mark.parametrize("url", ["http://plain.example/", "javascript:alert(1)", "https://two words.example/"])
def test_links_are_https_or_mailto(classifiers: Path, url: str) -> None:
    (classifiers / "links.yaml").write_text(f"bad: {{label: Bad, url: '{url}', rules: [R26], audience: both}}\n")
    with pytest.raises(AssetError, match=r"bad\.url"):
        load_links(classifiers)


def test_links_are_read_by_name(classifiers: Path) -> None:
    assert load_links(classifiers)["portal"].url == "https://p.example/"


def test_templates_need_the_answer_template(tmp_path: Path) -> None:
    (tmp_path / "greeting.external.md.j2").write_text("Hi.")
    with pytest.raises(AssetError, match=r"_answer\.md\.j2"):
        load_templates(tmp_path)


def test_a_language_has_its_words(tmp_path: Path) -> None:
    (tmp_path / "_words.yaml").write_text("login_required: Anmeldung nötig\ntitles: {greeting: Ihr Gruß}\nslots: {}\n")
    assert load_words(tmp_path).titles == {"greeting": "Ihr Gruß"}
    (tmp_path / "_words.yaml").write_text("login_required: Anmeldung nötig\n")
    with pytest.raises(AssetError, match="titles is missing; add it"):
        load_words(tmp_path)
