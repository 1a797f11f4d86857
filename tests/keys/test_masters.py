"""The master key steps forward and never back; what it was on disk before is gone."""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from gateway.keys import KeyFileError, Keys, Master, Masters
from gateway.keys.masters import FIRST_MONTH, next_month


def test_a_month_is_opened_until_it_is_forgotten(tmp_path: Path) -> None:
    master = Master.new(tmp_path / "master.key")
    master.write_new()
    masters, secret = Masters([master]), os.urandom(32)
    wrapped = {month: masters.wrap(month, secret) for month in ("2026-10", "2026-11", "2026-12")}
    assert all(masters.unwrap(month, *held) == secret for month, held in wrapped.items())
    assert masters.forget("2026-11")
    again = Masters([Master.read(tmp_path / "master.key")])
    for held in (masters, again):
        assert held.unwrap("2026-10", *wrapped["2026-10"]) is None
        assert held.unwrap("2026-11", *wrapped["2026-11"]) is None
        assert held.unwrap("2026-12", *wrapped["2026-12"]) == secret
        with pytest.raises(LookupError):
            held.wrap("2026-11", secret)
    assert not masters.forget("2026-11")
    assert master.link.hex() not in (tmp_path / "master.key").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_each_link_is_hkdf_of_the_one_before() -> None:
    """RFC 5869 with an empty salt, written out: extract, then one block of expand."""
    master = Master("kid", "2026-12", b"k" * 32)
    extracted = hmac.digest(bytes(32), b"k" * 32, sha256)
    assert master.at("2027-01").link == hmac.digest(extracted, b"linkage/v1/month/next\x01", sha256)
    assert master.at("2027-01").month == "2027-01"
    assert master.at("2020-01") == master


def test_months_follow_each_other_over_the_year() -> None:
    assert (next_month("2026-11"), next_month("2026-12")) == ("2026-12", "2027-01")


@pytest.mark.parametrize("content", [b"", b"x" * 32, b'{"kid":"a","month":"2026-13","link":"00"}', b'{"kid":1}', b"[]"])
def test_a_file_that_is_no_master_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "master.key").write_bytes(content)
    with pytest.raises(KeyFileError, match="is not a master key"):
        Master.read(tmp_path / "master.key")


def test_a_new_chain_begins_before_any_gateway(tmp_path: Path) -> None:
    keys = Keys.create(tmp_path / "keys")
    body = orjson.loads((tmp_path / "keys" / "master.key").read_bytes())
    assert (body["kid"], body["month"]) == (keys.master.kid, FIRST_MONTH)
    assert ((tmp_path / "keys" / "master.key").stat().st_mode & 0o777) == 0o600
