"""A verifier written from docs/verify.md and the C2SP specifications alone. It shares nothing with the gateway.

It may be slow and short; it must not import anything of `gateway`, and a test sees to that.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ORDER = ["public", "parties", "subject", "legal", "content"]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def open_note(note: str, vkey: str) -> list[str]:
    """The lines of a note's text, if `vkey` signed it; ValueError or cryptography's InvalidSignature otherwise."""
    name, key_id, material = vkey.strip().split("+", 2)
    raw = base64.b64decode(material)
    if sha(name.encode() + b"\n" + raw)[:4].hex() != key_id:
        raise ValueError("the verifier key does not fit its id")
    cut = note.rindex("\n\n") + 1
    text, lines = note[:cut], note[cut + 1 :]
    for line in lines.splitlines():
        dash, signer, value = line.split(" ")
        signature = base64.b64decode(value)
        if dash == "—" and signer == name and signature[:4].hex() == key_id:
            message, signature = text.encode(), signature[4:]
            if raw[0] == 4:
                time = int.from_bytes(signature[:8], "big")
                message, signature = f"cosignature/v1\ntime {time}\n".encode() + message, signature[8:]
            Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, message)
            return text.splitlines()
    raise ValueError("not signed by this key")


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, over leaf hashes."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return sha(b"\x01" + root_of(hashes[:half]) + root_of(hashes[half:]))


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 6962 section 2.1.1, from the leaf up: at each level either a sibling is there, or the node is the last."""
    found, last = leaf, size - 1
    path = list(path)
    while last:
        if index % 2:
            found = sha(b"\x01" + path.pop(0) + found)
        elif index < last:
            found = sha(b"\x01" + found + path.pop(0))
        index, last = index // 2, last // 2
    if path:
        raise ValueError("the path is too long")
    return found


def tile_name(number: int) -> str:
    text = str(number)
    text = "0" * (-len(text) % 3) + text
    parts = [text[at : at + 3] for at in range(0, len(text), 3)]
    return "/".join([*("x" + part for part in parts[:-1]), parts[-1]])


def read_entries(get: Callable[[str], bytes], size: int) -> list[bytes]:
    """All entries of the log, out of its bundles."""
    entries: list[bytes] = []
    for number in range((size + 255) // 256):
        width = min(256, size - number * 256)
        data = get(f"tile/entries/{tile_name(number)}" + ("" if width == 256 else f".p/{width}"))
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
    return entries


def verify_log(get: Callable[[str], bytes], vkey: str) -> tuple[int, list[bytes]]:
    """The log's size and entries, if its checkpoint and all of its tiles hold."""
    origin, size_text, root_text = open_note(get("checkpoint").decode(), vkey)[:3]
    size, root = int(size_text), base64.b64decode(root_text)
    if origin != vkey.split("+", maxsplit=1)[0]:
        raise ValueError("another log's checkpoint")
    entries = read_entries(get, size)
    hashes = [sha(b"\x00" + entry) for entry in entries]
    if len(entries) != size or root_of(hashes) != root:
        raise ValueError("the entries do not make the root")
    level = 0
    while hashes:
        for number in range((len(hashes) + 255) // 256):
            part = hashes[number * 256 : number * 256 + 256]
            name = f"tile/{level}/{tile_name(number)}" + ("" if len(part) == 256 else f".p/{len(part)}")
            if get(name) != b"".join(part):
                raise ValueError(f"{name} is not what lies below it")
        full = len(hashes) // 256
        hashes = [root_of(hashes[number * 256 : number * 256 + 256]) for number in range(full)]
        level += 1
    return size, entries


def verify_entry(entry: dict[str, Any], vkey: str, witnesses: list[str] | None = None) -> dict[str, Any]:
    """What one entry of a document shows, by group, if it is in the log."""
    commitments, contents = b"", {}
    for name in ORDER:
        group = entry["groups"][name]
        if "commitment" in group:
            commitments += bytes.fromhex(group["commitment"])
        else:
            commitments += sha(bytes.fromhex(group["salt"]) + group["content"].encode())
            contents[name] = json.loads(group["content"])
    if sha(commitments).hex() != entry["entry"]:
        raise ValueError("the groups are not the entry's")
    head, note = entry["proof"].split("\n\n", 1)
    lines = head.split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or lines[1] != f"index {entry['index']}":
        raise ValueError("not this entry's proof")
    _, size, root = open_note(note, vkey)[:3]
    for witness in witnesses or []:
        open_note(note, witness)
    path = [base64.b64decode(line) for line in lines[2:]]
    leaf = sha(b"\x00" + bytes.fromhex(entry["entry"]))
    if root_by_path(leaf, entry["index"], int(size), path) != base64.b64decode(root):
        raise ValueError("the proof leads elsewhere")
    return contents


def verify_document(document: dict[str, Any], vkey: str, witnesses: list[str] | None = None) -> list[dict[str, Any]]:
    """What each entry of a proof document shows, by group, if all of it holds."""
    shown = [verify_entry(entry, vkey, witnesses) for entry in document["entries"]]
    if any(contents["public"]["exchange"] != document["exchange_id"] for contents in shown):
        raise ValueError("another exchange's entry")
    return shown


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify_act(groups: dict[str, Any], keys: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What an operator signed (RFC 7515), if one of their keys did. `keys`: operator -> kid -> JWK; it grows."""
    head, payload_text, signature = groups["content"]["signed"].split(".")
    header, payload = json.loads(unpadded(head)), json.loads(unpadded(payload_text))
    operator = groups["parties"]["operator"]
    if payload["act"] == "found" and not keys:
        keys[operator] = {key["kid"]: key for key in payload["keys"]}
    jwk = keys[operator][header["kid"]]
    if header["alg"] != "EdDSA" or jwk["crv"] != "Ed25519":
        raise ValueError("this stranger knows Ed25519 only")
    public = Ed25519PublicKey.from_public_bytes(unpadded(jwk["x"]))
    public.verify(unpadded(signature), f"{head}.{payload_text}".encode())
    if (payload["operator"], payload["act"]) != (operator, groups["legal"]["act"]):
        raise ValueError("the entry is of another act")
    body = payload.get("body", {})
    if payload["act"] == "operator.add":
        keys[body["id"]] = {key["kid"]: key for key in body["keys"]}
    return dict(payload)


def verify_evidence(data: bytes, vkey: str, witnesses: list[str] | None = None) -> dict[str, Any]:
    """What a file of evidence shows, if all of it holds."""
    page, tail = data.rsplit(b'\n<script type="application/json" id="linkage-export">', 1)
    inner = page.rsplit(b'<script type="application/json" id="linkage-evidence">', 1)[1]
    evidence = json.loads(inner.removesuffix(b"</script>"))
    taken = verify_entry(json.loads(tail.removesuffix(b"</script>\n</body></html>\n")), vkey, witnesses)
    shown = verify_document(evidence["exchange"], vkey, witnesses)
    if taken["content"]["evidence"] != sha(page).hex():
        raise ValueError("the page is another than the one that was exported")
    if taken["content"]["exchange"] != evidence["exchange"]["exchange_id"]:
        raise ValueError("the export is of another exchange")
    keys: dict[str, dict[str, Any]] = {}
    acts = {}
    for act in sorted(evidence["acts"], key=lambda one: int(one["index"])):
        groups = verify_entry(act, vkey, witnesses)
        acts[act["index"]] = (groups, verify_act(groups, keys))
    legal = shown[0]["legal"]
    groups, proposed = acts[evidence["policies"]["proposed"]]
    policies = groups["content"].get("policies") or proposed["body"]["document"]
    canonical = json.dumps(policies, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if sha(canonical.encode()).hex() != legal["policy_digest"]:
        raise ValueError("the policies are not those of the decision")
    agreement = None
    if evidence["agreement"] is not None:
        agreement = acts[evidence["agreement"]["proposed"]][1]["body"]
        approved = acts[evidence["agreement"]["approved"]][1]
        if not agreement["id"] == approved["body"]["id"] == legal["agreement"]:
            raise ValueError("the agreement is not that of the decision")
    return {"exchange": shown, "agreement": agreement, "policies": policies, "export": taken}
