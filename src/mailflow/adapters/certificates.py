"""The certificate beside the model that it is about: model/certificate.json, read and written whole.

Rule: a certificate of another model is refused, not ignored. Why: its threshold would look like a promise.
"""

from pathlib import Path

from pydantic import ValidationError

from mailflow.core.certify import Certificate
from mailflow.errors import ModelError

FILE = "certificate.json"


def load_certificate(model: Path) -> Certificate | None:
    """Whatever it is of; None where there is none. Raises ModelError for one that cannot be read."""
    path = model / FILE
    try:
        return Certificate.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ModelError(f"{path} cannot be read: run `mailflow certify` ({error})") from error


def read_certificate(model: Path, *, version: str) -> Certificate | None:
    """That of the model of this version; None where there is none. Raises ModelError."""
    found = load_certificate(model)
    if found is not None and found.model_version != version:
        raise ModelError(f"{model / FILE} is of model {found.model_version}, not of {version}: run `mailflow certify`")
    return found


def write_certificate(model: Path, certificate: Certificate) -> None:
    """Into a neighbour first, then one rename, so that no reader sees half of it. Raises ModelError."""
    path, fresh = model / FILE, model / (FILE + ".new")
    try:
        fresh.write_text(certificate.model_dump_json(indent=2) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}") from error
