"""A review desk for each test."""

from pathlib import Path

import pytest
from tests.web.desk_pages import WebOffice, web_office


@pytest.fixture
def desk(tmp_path: Path) -> WebOffice:
    return web_office(tmp_path)
