"""add-checkpoint as C2SP tlog-witness specifies it: every status, durability, and two requests at once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from gateway.tlog import merkle, tiles
from gateway.tlog.checkpoint import Checkpoint, open_checkpoint
from gateway.tlog.note import COSIGNATURE, Note, NoteError, Signer, parse_key, parse_signatures
from gateway.witness.cosigning import Refused, cosign
from gateway.witness.server import application
from gateway.witness.state import WitnessState

LOG = Signer("log.example", Ed25519PrivateKey.generate())
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(50)]


def subtree_over(leaves: Sequence[bytes]) -> merkle.Subtree:
    return tiles.subtree_of(lambda level, index, width: leaves[:width])


def checkpoint(size: int, leaves: Sequence[bytes] = LEAVES, signer: Signer = LOG, origin: str = "log.example") -> str:
    text = Checkpoint(origin, size, merkle.root_of(leaves[:size])).text
    return str(Note(text, (signer.sign(text),)))


def request(old: int, new: int, *, note: str | None = None, proof: Sequence[bytes] | None = None) -> bytes:
    if proof is None:
        proof = merkle.consistency_proof(old, new, subtree_over(LEAVES)) if old <= new else []
    lines = [f"old {old}", *(base64.b64encode(step).decode() for step in proof), ""]
    return ("\n".join(lines) + "\n" + (note or checkpoint(new))).encode()


@pytest.fixture
def state(tmp_path: Path) -> WitnessState:
    held = WitnessState(tmp_path)
    held.signer("witness.example/w1")
    held.add(LOG.verifier)
    return held


class Client:
    """Asks the application without a server."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def post(self, path: str, *, content: str | bytes) -> httpx.Response:
        return self._ask("POST", path, content)

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path, None)

    def _ask(self, method: str, path: str, content: str | bytes | None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://witness.example") as session:
                return await session.request(method, path, content=content)

        return asyncio.run(ask())


@pytest.fixture
def client(state: WitnessState) -> Client:
    return Client(application(state, state.signer()))


def test_a_log_grows_and_each_checkpoint_is_cosigned(client: Client, state: WitnessState) -> None:
    key = state.signer().verifier
    old = 0
    for new in (0, 3, 8, 8, 21, 50):
        response = client.post("/add-checkpoint", content=request(old, new))
        assert response.status_code == 200, response.text
        (line,) = parse_signatures(response.text)
        note = checkpoint(new) + line.line
        assert open_checkpoint(note, LOG.verifier, [key], wanted=1)[0].size == new
        old = new
    digest = hashlib.sha256(b"log.example").hexdigest()
    served = client.get(f"/{digest}/checkpoint")
    found, cosigned = open_checkpoint(served.text, LOG.verifier, [key], wanted=1)
    assert found.size == 50
    assert cosigned[key] > 1_700_000_000
    assert client.get(f"/{'0' * 64}/checkpoint").status_code == 404


def test_malformed(client: Client) -> None:
    good = request(0, 3).decode()
    for body in (
        "",
        "old 0\n",
        good.replace("old 0", "old 00"),
        good.replace("old 0", "old -1"),
        good.replace("old 0", "new 0"),
        good.replace("old 0\n", "old 0\nnot base64\n"),
        good.replace("old 0\n", "old 0\n" + (base64.b64encode(bytes(32)).decode() + "\n") * 64),
        good.replace("\n3\n", "\n03\n"),
        good[:-1],
        request(7, 3).decode(),
    ):
        assert client.post("/add-checkpoint", content=body).status_code == 400, body
    assert client.post("/add-checkpoint", content=b"\xff").status_code == 400
    assert client.post("/add-checkpoint", content=b"x" * 200_000).status_code == 413
    assert client.get("/add-checkpoint").status_code == 405


def test_an_unknown_log(client: Client) -> None:
    other = Signer("other.example", LOG.key)
    note = checkpoint(3, signer=other, origin="other.example")
    assert client.post("/add-checkpoint", content=request(0, 3, note=note)).status_code == 404


def test_not_the_logs_signature(client: Client) -> None:
    stranger = Signer("log.example", Ed25519PrivateKey.generate())
    assert client.post("/add-checkpoint", content=request(0, 3, note=checkpoint(3, signer=stranger))).status_code == 403
    text = checkpoint(3).partition("\n\n")[0] + "\n"
    forged = LOG.sign(text + "x\n")
    assert client.post("/add-checkpoint", content=request(0, 3, note=str(Note(text, (forged,))))).status_code == 403


def test_a_conflict_tells_the_size(client: Client) -> None:
    assert client.post("/add-checkpoint", content=request(0, 8)).status_code == 200
    for old in (0, 3):
        response = client.post("/add-checkpoint", content=request(old, 21))
        assert response.status_code == 409
        assert response.text == "8\n"
        assert response.headers["content-type"].split(";")[0] == "text/x.tlog.size"
    rollback = client.post("/add-checkpoint", content=request(3, 3))
    assert (rollback.status_code, rollback.text) == (409, "8\n")


def test_forks_and_bad_proofs(client: Client) -> None:
    assert client.post("/add-checkpoint", content=request(0, 8)).status_code == 200
    fork = [merkle.leaf_hash(b"fork"), *LEAVES[1:]]
    forked = checkpoint(21, fork)
    consistent = merkle.consistency_proof(8, 21, subtree_over(fork))
    same_size = checkpoint(8, fork)
    for body in (
        request(8, 21, note=forked),
        request(8, 21, note=forked, proof=consistent),
        request(8, 8, note=same_size),
        request(8, 21, proof=[]),
        request(8, 8, proof=[bytes(32)]),
    ):
        assert client.post("/add-checkpoint", content=body).status_code == 422
    assert client.post("/add-checkpoint", content=request(8, 21)).status_code == 200


def test_proofs_from_nothing_and_an_odd_empty_log(client: Client) -> None:
    assert client.post("/add-checkpoint", content=request(0, 3, proof=[bytes(32)])).status_code == 422
    text = Checkpoint("log.example", 0, bytes(32)).text
    empty = str(Note(text, (LOG.sign(text),)))
    assert client.post("/add-checkpoint", content=request(0, 0, note=empty)).status_code == 422


def test_what_was_cosigned_is_kept_over_a_restart(state: WitnessState, tmp_path: Path) -> None:
    cosign(state, state.signer(), request(0, 8))
    again = WitnessState(tmp_path)
    assert again.signer().verifier == state.signer().verifier
    with pytest.raises(Refused) as refused:
        cosign(again, again.signer(), request(0, 21))
    assert (refused.value.status, refused.value.size) == (409, 8)
    with pytest.raises(NoteError):
        again.signer("another.example/name")


def test_two_requests_at_once_never_roll_back(state: WitnessState) -> None:
    results: list[int] = []

    def ask(new: int) -> None:
        try:
            cosign(state, state.signer(), request(0, new))
            results.append(200)
        except Refused as refused:
            results.append(refused.status)

    threads = [threading.Thread(target=ask, args=(new,)) for new in (3, 8, 21, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200, 409, 409, 409]


def test_a_second_key_of_a_log_counts_too(state: WitnessState, client: Client) -> None:
    fresh = Signer("log.example", Ed25519PrivateKey.generate())
    assert client.post("/add-checkpoint", content=request(0, 3, note=checkpoint(3, signer=fresh))).status_code == 403
    state.add(parse_key(str(fresh.verifier)))
    assert client.post("/add-checkpoint", content=request(0, 3, note=checkpoint(3, signer=fresh))).status_code == 200
    with pytest.raises(NoteError):
        state.add(Signer("log.example", fresh.key, COSIGNATURE).verifier)
