"""Questions that are not well formed: each has its status and code, in two languages, and quotes nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors import population
from tests.harness import COVER, OLD_AGE, PERSON, RunningGateway, token_of
from tests.http.wire import get, made_up, post, raw, refused

ELDER = population.story("elder")
SENTINEL = "zqsentinel7731x"
GOOD = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}
LIMIT = 65536


@pytest.fixture(scope="module")
def token(world: Any) -> str:
    return token_of(world[0], "city-a-welfare")


@pytest.fixture
def ask(running_gateway: RunningGateway, token: str) -> Any:
    def send(body: Any, **headers: str) -> Any:
        return post(running_gateway, "/v1/exchanges", body, token, **headers)

    return send


def body(**change: Any) -> bytes:
    """A good question with keys changed, or (None) left out."""
    return json.dumps({key: value for key, value in {**GOOD, **change}.items() if value is not None}).encode()


def replaced(old: bytes, new: bytes) -> bytes:
    good = json.dumps(GOOD).encode()
    assert old in good
    return good.replace(old, new)


THAI_DIGITS = ELDER.translate({ord("0") + n: 0x0E50 + n for n in range(10)})
FULL_WIDTH = ELDER.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
WRONG_DIGIT = ELDER[:-1] + str((int(ELDER[-1]) + 1) % 10)
DASHED = f"{ELDER[0]}-{ELDER[1:5]}-{ELDER[5:10]}-{ELDER[10:12]}-{ELDER[12]}"

MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n ",
    "not JSON": f"{SENTINEL} {ELDER}".encode(),
    "cut short": body()[:-1],
    "something behind": body() + b"{}",
    "array": b"[" + body() + b"]",
    "string": json.dumps(ELDER).encode(),
    "number": ELDER.encode(),
    "null": b"null",
    "single quotes": body().replace(b'"', b"'"),
    "a comment": body() + b"// " + SENTINEL.encode(),
    "byte order mark": b"\xef\xbb\xbf" + body(),
    "UTF-16": body().decode().encode("utf-16"),
    "Latin-1": replaced(b'"purpose"', b'"\xe9"'),
    "surrogate in bytes": replaced(OLD_AGE.encode(), b"\xed\xa0\x80"),
    "surrogate escaped": replaced(OLD_AGE.encode(), b"\\ud800"),
    "surrogate in a key": replaced(b'"purpose"', b'"\\udfff"'),
    "surrogates the wrong way round": replaced(OLD_AGE.encode(), b"\\udc00\\ud800"),
    "NUL": replaced(OLD_AGE.encode(), b"\\u0000"),
    "NUL in bytes": replaced(OLD_AGE.encode(), b"\x00"),
    "NaN": replaced(json.dumps(OLD_AGE).encode(), b"NaN"),
    "Infinity": replaced(json.dumps(OLD_AGE).encode(), b"-Infinity"),
    "a number beyond all": replaced(json.dumps(OLD_AGE).encode(), b"1e999"),
    "a number of 5000 digits": replaced(json.dumps(OLD_AGE).encode(), b"9" * 5000),
    "a number of 65 bits": replaced(json.dumps(OLD_AGE).encode(), b"36893488147419103232"),
    "too deep": b'{"service":' + b"[" * 30000 + b"]" * 30000 + b"}",
    "too deep, never closed": b'{"a":' * 12000,
    "deep, as far as a reader may go": b'{"service":' + b"[" * 985 + b'"\\u0041"' + b"]" * 985 + b"}",
    "key twice": body()[:-1] + b', "purpose": "x.y"}',
    "key twice, escaped": body()[:-1] + b', "\\u0070urpose": "x.y"}',
    "key twice, below": replaced(json.dumps(OLD_AGE).encode(), b'{"a": 1, "\\u0061": 2}'),
    "unknown key": body(**{SENTINEL: 1}),
    "unknown key that is a citizen ID": body(**{ELDER: 1}),
    "empty key": body(**{"": 1}),
    "key in capitals": replaced(b'"purpose"', b'"Purpose"'),
    "nobody": body(citizen_id=None),
    "both identifiers": body(juristic_id=ELDER),
    "no service": body(service=None),
    "no purpose": body(purpose=None),
    "service with a line end": body(service=PERSON + "\n"),
    "service of another form": body(service=SENTINEL),
    "service that holds a citizen ID": body(service=f"dopa.p{ELDER}.v1"),
    "purpose of another form": body(purpose=SENTINEL),
    "purpose in Thai": body(purpose="สวัสดิการ.ผู้สูงอายุ"),
    "purpose that holds a citizen ID": body(purpose=f"welfare.{ELDER}"),
    "purpose that holds one in parts": body(purpose=f"welfare.{ELDER[:5]}.{ELDER[5:]}"),
    "no fields": body(fields=[]),
    "a field twice": body(fields=["date_of_birth", "date_of_birth"]),
    "too many fields": body(fields=[f"f{n}" for n in range(201)]),
    "a field in capitals": body(fields=["DATE_OF_BIRTH"]),
    "a field that is a citizen ID": body(fields=[ELDER]),
    "a field that holds a citizen ID": body(fields=[f"f{ELDER}"]),
    **{f"{key} null": replaced(b'"purpose"', f'"{key}": null, "purpose"'.encode()) for key in ("fields", "officer")},
    **{
        f"{key} {what}": body(**{key: value})
        for key in ("service", "purpose", "consent_id", "officer", "case_reference")
        for what, value in {
            "a number": 7731,
            "true": True,
            "an array": [SENTINEL],
            "an object": {SENTINEL: 1},
            "empty": "",
            "too long": "a" * 65 if key != "purpose" else f"a.{'b' * 60}",
            "with a space": f"a.b {SENTINEL}",
            "with a line end": f"{GOOD.get(key, 'A-1')}\n",
        }.items()
    },
    **{
        f"fields {what}": body(fields=value)
        for what, value in {
            "a text": SENTINEL,
            "an object": {SENTINEL: 1},
            "a number": 1,
            "of numbers": [1],
            "of arrays": [["date_of_birth"]],
        }.items()
    },
    **{
        f"{key} {what}": body(**{key: value})
        for key in ("consent_id", "officer", "case_reference")
        for what, value in {
            "a citizen ID": ELDER,
            "a citizen ID with letters around": f"OAA{ELDER}x",
            "a citizen ID with a digit before": f"7{ELDER}",
            "a citizen ID with dots": ".".join((ELDER[:1], ELDER[1:5], ELDER[5:10], ELDER[10:])),
            "a citizen ID with dashes": DASHED,
            "a citizen ID with underscores": "_".join(ELDER),
        }.items()
    },
    "case_reference with slashes in a citizen ID": body(case_reference="/".join((ELDER[:4], ELDER[4:8], ELDER[8:]))),
}

INVALID_ID: dict[str, Any] = {
    "12 digits": ELDER[:12],
    "14 digits": ELDER + "0",
    "a line end": ELDER + "\n",
    "a blank before": " " + ELDER,
    "Thai digits": THAI_DIGITS,
    "full-width digits": FULL_WIDTH,
    "dashes": DASHED,
    "a plus sign": "+" + ELDER[1:],
    "a letter": "G" + ELDER[1:],
    "a wrong check digit": WRONG_DIGIT,
    "a NUL": ELDER + "\0",
    "a number": int(ELDER),
    "a fraction": float(ELDER),
    "an array": [ELDER],
    "an object": {"citizen_id": ELDER},
    "null": None,
    "true": True,
    "empty": "",
    "much": ELDER * 400,
}


def quotes_nothing(response: Any) -> None:
    said = response.text + str(response.headers)
    for value in (SENTINEL, ELDER, WRONG_DIGIT, THAI_DIGITS, FULL_WIDTH, DASHED, ELDER[:12], "7731"):
        assert value not in said


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_question(ask: Any, case: str) -> None:
    response = ask(MALFORMED[case])
    problem = refused(response, 400, "malformed_request")
    assert problem["detail"]
    quotes_nothing(response)


@pytest.mark.parametrize("case", INVALID_ID)
def test_a_citizen_id_that_is_none(ask: Any, case: str) -> None:
    response = ask(json.dumps({**GOOD, "citizen_id": INVALID_ID[case]}).encode())
    refused(response, 400, "invalid_citizen_id")
    quotes_nothing(response)


def test_a_person_where_the_service_asks_for_another_kind_of_identifier(ask: Any) -> None:
    response = ask(body(citizen_id=None, juristic_id=ELDER))
    refused(response, 400, "unknown_field")
    quotes_nothing(response)


def test_a_juristic_person_has_a_number_of_its_own_kind(ask: Any) -> None:
    response = ask(body(citizen_id=None, juristic_id="1234567890121"))
    refused(response, 400, "invalid_citizen_id")


def test_a_field_or_a_service_that_is_not_there(ask: Any) -> None:
    response = ask(body(fields=["date_of_birth", SENTINEL]))
    refused(response, 400, "unknown_field")
    quotes_nothing(response)
    response = ask(body(service=f"dopa.{SENTINEL}.v1"))
    refused(response, 404, "unknown_service")
    quotes_nothing(response)
    response = ask(body(service=PERSON.replace("v1", "v2")))
    refused(response, 404, "unknown_service")


def test_a_refusal_by_the_rules_quotes_nothing_either(ask: Any) -> None:
    response = ask(body(purpose=f"welfare.{SENTINEL}", officer="zq.7731", case_reference="zq/7731"))
    problem = refused(response, 403, "denied")
    assert problem["exchange_id"].startswith("ex_")
    assert all(reason["title"] and reason["title_th"] for reason in problem["reasons"])
    quotes_nothing(response)
    quotes_nothing(ask(body(service=COVER)))


def padded(length: int) -> bytes:
    good = body()
    return good[:-1] + b" " * (length - len(good)) + b"}"


def in_chunks(content: bytes) -> Iterator[bytes]:
    for at in range(0, len(content), 16000):
        yield content[at : at + 16000]


def test_a_body_of_just_the_limit_is_read(ask: Any) -> None:
    assert len(padded(LIMIT)) == LIMIT
    assert ask(padded(LIMIT)).status_code == 200
    assert ask(in_chunks(padded(LIMIT))).status_code == 200


@pytest.mark.parametrize("way", ["Content-Length", "chunked"])
def test_one_byte_more_is_too_large(ask: Any, way: str) -> None:
    content = padded(LIMIT + 1)
    response = ask(content if way == "Content-Length" else in_chunks(content))
    refused(response, 413, "too_large")
    quotes_nothing(response)


def head_of(token: str) -> str:
    lines = [
        "POST /v1/exchanges HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def test_far_too_much_is_refused_before_it_is_sent(running_gateway: RunningGateway, token: str) -> None:
    head = head_of(token)
    for length in (LIMIT + 1, 10**12, 10**30):
        answer = raw(running_gateway, f"{head}Content-Length: {length}\r\n\r\n".encode())
        assert b" 413 " in answer.partition(b"\r\n")[0] or b" 400 " in answer.partition(b"\r\n")[0], answer[:200]


def test_a_request_that_ends_early_harms_nobody(running_gateway: RunningGateway, token: str) -> None:
    head = head_of(token)
    raw(running_gateway, f"{head}Content-Length: 500\r\n\r\n".encode(), body()[:40], close=True, seconds=3)
    raw(running_gateway, f"{head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n".encode(), close=True, seconds=3)
    assert get(running_gateway, "/healthz").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": ""},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/jsonp"},
        {"content_type": f"application/{SENTINEL}"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": "application/json; charset=tis-620"},
        {"content_type": "application/json; charset=utf-16"},
        {"content_type": 'application/json; charset="latin-1"'},
        {"content_type": "application/json; version=2"},
        {"content_encoding": "gzip"},
        {"content_encoding": "deflate"},
        {"content_encoding": "identity, br"},
    ],
    ids=str,
)
def test_a_body_of_another_kind(ask: Any, headers: dict[str, str]) -> None:
    content = gzip.compress(body()) if headers.get("content_encoding") == "gzip" else body()
    response = ask(content, **headers)
    refused(response, 415, "unsupported_media_type")
    quotes_nothing(response)


@pytest.mark.parametrize(
    "kind", ["Application/JSON", "application/json;charset=UTF-8", 'application/json; charset="utf-8"']
)
def test_the_same_content_type_written_otherwise(ask: Any, kind: str) -> None:
    assert ask(body(), content_type=kind).status_code == 200


def test_a_number_that_is_escaped_is_the_same_number(ask: Any) -> None:
    escaped = "".join(f"\\u{ord(digit):04x}" for digit in ELDER)
    assert ask(replaced(ELDER.encode(), escaped.encode())).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_another_method(running_gateway: RunningGateway, token: str, method: str) -> None:
    response = httpx.request(
        method, f"{running_gateway.url}/v1/exchanges", headers={"authorization": f"Bearer {token}"}, trust_env=False
    )
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        refused(response, 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/exchanges/", "/v1/services/", f"/{ELDER}", "/docs", "/v1//services"])
def test_no_path_leads_elsewhere_and_none_is_repeated(running_gateway: RunningGateway, token: str, path: str) -> None:
    response = get(running_gateway, f"{path}?q={SENTINEL}", token)
    assert response.status_code in (404, 405)
    assert "location" not in response.headers
    quotes_nothing(response)


def test_searching_takes_no_citizen_id_but_where_it_belongs(running_gateway: RunningGateway) -> None:
    token = token_of(running_gateway, "auditor", "audit")
    other = made_up(4711)
    for wrong in (
        {"citizen_id": other},
        {"citizen_id": other, "reason": "why"},
        {"officer": other},
        {"case_reference": other},
        {"consumer": f"x-{other}"},
        {"reason": f"asked about {other}", "citizen_id": other},
        {"reason": f"ถามถึง {other.translate({ord('0') + n: 0x0E50 + n for n in range(10)})}"},
        {"reason": f"{other[0]}-{other[1:5]}-{other[5:10]}-{other[10:12]}-{other[12]}"},
        {"from": "2026-11-20"},
        {"from": "2026-11-20T00:00:00"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-14:00"},
        {"from": 1700000000},
        {"limit": "5"},
        {"limit": 0},
        {"limit": 201},
        {"limit": True},
        {"cursor": "f" * 16},
        {"cursor": "-1"},
        {"consumer": "a\0b"},
        {"consumer": ""},
        {"x" + other: 1},
        {"สมชาย": 1},
    ):
        response = post(running_gateway, "/v1/audit/exchanges/search", json.dumps(wrong).encode(), token)
        refused(response, 400, "malformed_request")
        assert other not in response.text
        assert "สมชาย" not in response.text
    for wrong_id in (other[:-1] + str((int(other[-1]) + 1) % 10), other[:12], int(other)):
        sent = {"citizen_id": wrong_id, "reason": "a complaint"}
        response = post(running_gateway, "/v1/audit/exchanges/search", json.dumps(sent).encode(), token)
        assert response.status_code == 400
        assert other[:12] not in response.text
    good = {"citizen_id": other, "reason": "a complaint", "from": "2026-01-01T00:00:00+07:00", "cursor": "f" * 15}
    assert post(running_gateway, "/v1/audit/exchanges/search", json.dumps(good).encode(), token).status_code == 200


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "limit=0", "limit=501", f"after={2**70}", "limit=1e2", "after=٣"]
)
def test_a_parameter_that_is_not_valid(running_gateway: RunningGateway, query: str) -> None:
    token = token_of(running_gateway, "auditor", "audit")
    response = get(running_gateway, f"/v1/audit/entries?{query}&x={SENTINEL}", token)
    problem = refused(response, 400, "malformed_request")
    assert query.partition("=")[0] in problem["detail"]
    quotes_nothing(response)
