"""The certificate lies beside its model and is read for no other."""

from datetime import date
from pathlib import Path

import pytest

from mailflow.adapters.certificates import FILE, load_certificate, read_certificate, write_certificate
from mailflow.core.certify import Certificate, Trial, certify
from mailflow.errors import ModelError


@pytest.fixture
def certificate() -> Certificate:
    trials = [Trial(0.9, n == 0, ("quoting",)) for n in range(400)]
    return certify(trials, model_version="m1", rules="r1", holdout_sha256="h1", today=date(2026, 3, 2))


def test_what_is_written_is_read_again(tmp_path: Path, certificate: Certificate) -> None:
    write_certificate(tmp_path, certificate)
    assert read_certificate(tmp_path, version="m1") == certificate
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_the_new_one_takes_the_place_of_the_old(tmp_path: Path, certificate: Certificate) -> None:
    for version in ("m0", "m1"):
        write_certificate(tmp_path, certificate.model_copy(update={"model_version": version}))
    assert read_certificate(tmp_path, version="m1") == certificate


def test_a_model_without_one_has_none(tmp_path: Path) -> None:
    assert read_certificate(tmp_path, version="m1") is None


def test_one_of_another_model_is_refused(tmp_path: Path, certificate: Certificate) -> None:
    write_certificate(tmp_path, certificate)
    with pytest.raises(ModelError, match="is of model m1, not of m2: run `mailflow certify`"):
        read_certificate(tmp_path, version="m2")
    assert load_certificate(tmp_path) == certificate, "`mailflow check` must still see it"


@pytest.mark.parametrize("content", ["", "{}", '{"bound": "much"}', "\x00"])
def test_a_broken_one_is_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(ModelError, match="cannot be read: run `mailflow certify`"):
        load_certificate(tmp_path)


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path: Path, certificate: Certificate) -> None:
    with pytest.raises(ModelError, match="cannot be written"):
        write_certificate(tmp_path / "no such folder", certificate)
