"""Language identification, restricted to what partners write: the same answers as py3langid gives."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from mailflow.reading import language
from mailflow.reading.language import LANGUAGES, LONGEST, detect

EXAMPLES = Path(__file__).parents[2] / "classifiers" / "examples"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We would like to register a deal for our customer.", "en"),
        ("Wir möchten gerne eine Lizenz für unser Labor bestellen.", "de"),
        ("Nous souhaitons enregistrer une affaire pour notre client.", "fr"),
        ("Quisiéramos registrar una oportunidad para nuestro cliente.", "es"),
        ("Gostaríamos de registrar uma oportunidade para o nosso cliente.", "pt"),
        ("Chcielibyśmy zarejestrować transakcję dla naszego klienta.", "pl"),
        ("ライセンスの更新についてご連絡ください。", "ja"),
        ("我们想为客户续订许可证，请告知流程。", "zh"),
        ("라이선스 갱신 방법을 알려 주시기 바랍니다.", "ko"),
        ("Мы хотели бы продлить лицензию для нашего клиента.", "ru"),
    ],
)
def test_language_of_a_sentence(text: str, expected: str) -> None:
    assert detect(text) == expected


@pytest.mark.parametrize(
    "text", ["", "Thanks!", "OK, danke", "https://portal.example/very/long/path?with=arguments", "1234567890 " * 9]
)
def test_too_little_language_says_nothing(text: str) -> None:
    assert detect(text) == ""


@given(st.text(max_size=300))
def test_total_and_within_the_list(text: str) -> None:
    assert detect(text) in {"", *LANGUAGES}


# ---- the walk against the library's own ---------------------------------------------------------------------


@cache
def library() -> Any:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def sentences() -> list[str]:
    """Texts of 25 to 160 characters that `detect` takes as they are, out of mails in eight languages and more."""
    rows = (json.loads(line) for path in sorted(EXAMPLES.glob("*.jsonl")) for line in path.read_text().splitlines())
    lines = {" ".join(line.split())[:160].strip() for row in rows for line in row["text"].splitlines()}
    has_no_marks = re.compile(r"[^\d_<>|*=#\\/@]{25,}")
    return sorted(line for line in lines if has_no_marks.fullmatch(line) and re.search(r"\w", line))


def test_says_the_languages_that_the_library_says() -> None:
    texts = sentences()
    assert len(texts) > 1000
    assert len({detect(text) for text in texts}) >= 8
    assert [detect(text) for text in texts] == [library().classify(text)[0] for text in texts]


def test_the_state_depends_on_the_last_octets_only() -> None:
    """What the walk relies on: no sequence of the model is longer, and none has a NUL in it."""
    model = library()
    moves = np.array(model.tk_nextmove).reshape(-1, 256)[np.array(model.tk_row)]
    assert not moves[:, 0].any()
    reached = frontier = np.array([0])
    for _ in range(LONGEST):
        frontier = np.setdiff1d(moves[frontier], reached)
        reached = np.union1d(reached, frontier)
    assert len(frontier) > 0
    assert len(np.setdiff1d(moves[frontier], reached)) == 0


def test_the_automaton_is_the_library_s_in_other_numbers() -> None:
    model, library_s = language._model(), library()
    rows, sequence = np.array(library_s.tk_row), np.array(library_s.tk_output)
    moves = np.array(library_s.tk_nextmove).reshape(-1, 256)
    states = np.random.default_rng(1).integers(0, len(rows), 2_000)
    octets = np.arange(256)
    reached = model.first + model.moves[np.add.outer(_ours(states, model, rows), model.column)]
    np.testing.assert_array_equal(model.sequence[reached], sequence[moves[rows[states]][:, octets]])


def _ours(states: NDArray[Any], model: Any, rows: NDArray[Any]) -> NDArray[Any]:
    """Where the row of each of the library's states begins among our moves."""
    result: NDArray[Any] = rows[states] * (model.column.max() + 1)
    return result


def test_the_model_takes_less_than_half_of_the_library_s() -> None:
    model = language._model()
    assert sum(getattr(model, name).nbytes for name in ("moves", "column", "first", "row", "sequence")) < 17 * 10**6


def test_what_is_no_language_says_nothing() -> None:
    assert detect("-" * 27 + " " + "~^" * 20) == ""
