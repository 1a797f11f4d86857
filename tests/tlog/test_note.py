"""Notes, checkpoints, tile names and proofs against the C2SP specifications' own examples."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.tlog import merkle, tiles
from gateway.tlog.checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from gateway.tlog.note import (
    COSIGNATURE,
    BadSignature,
    Note,
    NoteError,
    Signer,
    parse_key,
    parse_note,
    verify_note,
)
from gateway.tlog.proof import Proof, check_proof, parse_proof

# The example of c2sp.org/signed-note, and the checkpoint and cosignature of c2sp.org/tlog-cosignature.
KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_the_specifications_example_verifies_and_nothing_like_it() -> None:
    key, note = parse_key(KEY), parse_note(NOTE)
    assert str(key) == KEY
    assert str(note) == NOTE
    assert verify_note(note, [key]) == {key: 0}
    with pytest.raises(BadSignature):
        verify_note(Note(note.text.replace("example", "Example"), note.signatures), [key])
    with pytest.raises(BadSignature):
        verify_note(note, [Signer("example.com/foo", Ed25519PrivateKey.generate()).verifier])


def test_the_specifications_checkpoint_is_read_and_written_alike() -> None:
    note = parse_note(SOFA)
    checkpoint = read_checkpoint(note)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == note.text
    assert str(note) == SOFA
    cosignature = note.signatures[1]
    assert int.from_bytes(cosignature.value[:8], "big") == 1679315147  # the time that the specification's text has


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no signature\n",
        "text\n\n",
        "text\n\n— name\n",
        "text\n\n— name !!!!\n",
        "text\n\n— name QUJD\n",
        "text\n\n- name QUJDREVGRw==\n",
        "text\n\n— na+me QUJDREVGRw==\n",
        "text\n\n— name QUJDREVGRw==",
        "te\txt\n\n— name QUJDREVGRw==\n",
        "te\rxt\n\n— name QUJDREVGRw==\n",
    ],
)
def test_what_is_no_note(text: str) -> None:
    with pytest.raises(NoteError):
        parse_note(text)


@pytest.mark.parametrize(
    "text",
    ["a\n1\n", "a\n01\n" + base64.b64encode(bytes(32)).decode() + "\n", "a\n1\nAAAA\n", "a\n-1\n\n", "a\n1\n\n", "\n"],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(NoteError):
        read_checkpoint(Note(text, ()))


@pytest.mark.parametrize("text", ["", "a+b", KEY.replace("530d903a", "530d903b"), KEY.replace("foo", "f o"), KEY[:-4]])
def test_what_is_no_verifier_key(text: str) -> None:
    with pytest.raises(NoteError):
        parse_key(text)


def test_cosignatures_count_only_when_they_verify() -> None:
    log = Signer("log.example", Ed25519PrivateKey.generate())
    one, two = (Signer(f"w{n}.example", Ed25519PrivateKey.generate(), COSIGNATURE) for n in (1, 2))
    text = Checkpoint("log.example", 3, bytes(32)).text
    signed = Note(text, (log.sign(text), one.sign(text, 1_700_000_000)))
    assert parse_key(str(one.verifier)) == one.verifier
    known = [one.verifier, two.verifier]
    assert open_checkpoint(str(signed), log.verifier, known, wanted=1)[1] == {one.verifier: 1_700_000_000}
    with pytest.raises(BadSignature, match="1 of the 2"):
        open_checkpoint(str(signed), log.verifier, known, wanted=2)
    moved = one.sign(text, 1_700_000_000)
    forged = Note(text, (log.sign(text), type(moved)(moved.name, moved.key_id, bytes(8) + moved.value[8:])))
    with pytest.raises(BadSignature):
        open_checkpoint(str(forged), log.verifier, known)
    other = Signer("other.example", log.key)
    with pytest.raises(BadSignature, match="another log"):
        open_checkpoint(str(signed), other.verifier)


def test_tile_names_of_the_specification() -> None:
    assert tiles.Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert tiles.parse_path("tile/0/x001/x234/067") == tiles.Tile(0, 1234067)
    assert tiles.parse_path("tile/entries/000.p/17") == tiles.Tile(None, 0, 17)
    # A tree of 70,000 entries: 273 full tiles and one of 112 at level 0, one full and one of 17 above, one of 1.
    for level, widths in ((0, [256, 112, 0]), (1, [256, 17, 0]), (2, [1, 0, 0]), (3, [0, 0, 0])):
        last = 273 >> 8 * level
        at = (max(last - 1, 0), last, last + 1) if level < 2 else (0, 1, 2)
        assert [tiles.width_at(tiles.Tile(level, index), 70_000) for index in at] == widths
    assert [tiles.width_at(tiles.Tile(level, 0), 256) for level in (None, 0, 1, 2)] == [256, 256, 1, 0]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x001",
        "tile/-1/000",
        "tile/entries/000/",
        "tile/0/000.p/1\n",
        "tile/0/٠٠٠",
    ],
)
def test_what_names_no_tile(path: str) -> None:
    with pytest.raises(tiles.TileError):
        tiles.parse_path(path)


def test_bundles() -> None:
    entries = [bytes([number]) * 32 for number in range(5)]
    data = tiles.bundle(entries)
    assert data[:2] == b"\x00\x20"
    assert tiles.unbundle(data, 5) == entries
    for broken in (data[:-1], data + b"\x00", data + b"\x00\x01"):
        with pytest.raises(tiles.TileError):
            tiles.unbundle(broken, 5)


def test_a_proof_is_a_text_that_verifies() -> None:
    log = Signer("log.example", Ed25519PrivateKey.generate())
    entries = [bytes([number]) * 32 for number in range(5)]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    subtree = tiles.subtree_of(lambda level, index, width: leaves[:width])
    text = Checkpoint("log.example", 5, merkle.root_of(leaves)).text
    note = str(Note(text, (log.sign(text),)))
    written = str(Proof(3, tuple(merkle.inclusion_proof(3, 5, subtree)), note))
    assert written.startswith("c2sp.org/tlog-proof@v1\nindex 3\n")
    for shown in (written, written.replace("\nindex", "\nextra QUJD\nindex")):
        checkpoint, cosigned = check_proof(parse_proof(shown), entries[3], log.verifier)
        assert (checkpoint.size, cosigned) == (5, {})
    for broken in (written.replace("index 3", "index 2"), written.replace("index 3", "index 4")):
        with pytest.raises(merkle.ProofError):
            check_proof(parse_proof(broken), entries[3], log.verifier)
    for malformed in ("", written.replace("@v1", "@v2"), written.replace("index 3", "index 03"), written[:30]):
        with pytest.raises(NoteError):
            parse_proof(malformed)
