"""Programs that some tests need: a skip where they are absent, unless the run promises them."""

import os
from typing import NoReturn

import pytest


def unavailable(program: str, reason: str) -> NoReturn:
    """Skip with the reason; fail where `CDS_TEST_REQUIRE` lists the program."""
    if program in os.environ.get("CDS_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{program} is required here, but {reason}")
    pytest.skip(reason)
