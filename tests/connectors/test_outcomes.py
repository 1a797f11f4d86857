"""What a status means without the settings' word, and how long a source may ask us to stay away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from connectors.outcomes import LONGEST_RETRY_AFTER, compile_outcomes, seconds
from gateway.plugin import AgencyMisbehaved, AgencyUnavailable, CitizenNotFound


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 1),
        ("86400", LONGEST_RETRY_AFTER),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("๗", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2915 07:28:00 GMT", LONGEST_RETRY_AFTER),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_retry_after(written: str, wanted: int | None) -> None:
    assert seconds(written) == wanted


def test_retry_after_as_a_date_to_come() -> None:
    wait = seconds(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert wait is not None
    assert 50 <= wait <= 60


def test_a_404_is_not_found_only_where_the_settings_say_so() -> None:
    assert isinstance(compile_outcomes({}).of_status(404, ""), AgencyMisbehaved)
    declared = compile_outcomes({"not_found": [{"status": 404}]})
    assert isinstance(declared.of_status(404, ""), CitizenNotFound)
    assert declared.of_status(200, "") is None
    assert isinstance(declared.of_status(503, "3"), AgencyUnavailable)


def test_values_are_compared_with_their_types() -> None:
    rules = compile_outcomes(
        {"not_found": [{"path": "/s", "equals": [0]}], "failed": [{"path": "/x", "present": False}]}
    )
    assert isinstance(rules.of_body(200, {"s": 0, "x": 1}, ""), CitizenNotFound)
    for other in (False, "0", None, [0], 0.5):
        assert rules.of_body(200, {"s": other, "x": 1}, "") is None
    assert isinstance(rules.of_body(200, {"s": 1}, ""), AgencyMisbehaved)
