"""What was used once stays used: after a restart, and after a kill in the middle of everything."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gateway.client.signing import signed_act
from tests.harness import RunningGateway, title, token_of
from tests.http.wire import bare, get, post, refused
from tests.identity.assertions import claims_of, key_of, oauth_error, request, signed

NAME = "city-a-welfare"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with bare(tmp_path_factory.mktemp("own")) as gateway:
        yield gateway


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_neither_an_assertion_nor_an_act_is_taken_again_after_a_restart(own: RunningGateway, end: str) -> None:
    assertion = signed(key_of(own, NAME), claims_of(own, NAME))
    answer = request(own, assertion)
    assert answer.status_code == 200
    access = answer.json()["access_token"]
    act = signed_act(key_of(own, "admin"), "admin", own.url, "agency.add", {"id": f"new-{end}", "title": title("x")})
    sent = json.dumps({"act": act}).encode()
    assert post(own, "/v1/admin/acts", sent, token_of(own, "admin", "admin")).status_code == 201
    getattr(own, end)()
    own.start()
    oauth_error(request(own, assertion), "invalid_client")
    refused(post(own, "/v1/admin/acts", sent, token_of(own, "admin", "admin")), 409, "conflict")
    # A token outlives the process that issued it, by the key it is signed with; the act is there.
    assert get(own, "/v1/services", access).status_code == 200
    with own.as_("admin") as admin:
        assert admin.record("agency", f"new-{end}")["status"] == "active"


def test_another_gateways_token_and_assertion_are_not_this_ones(
    own: RunningGateway, running_gateway: RunningGateway
) -> None:
    access = token_of(own, NAME)
    assert get(own, "/v1/services", access).status_code == 200
    refused(get(running_gateway, "/v1/services", access), 401, "invalid_token")
    assertion = signed(key_of(running_gateway, NAME), claims_of(own, NAME))  # its own key, the other's audience
    oauth_error(request(running_gateway, assertion), "invalid_client")
