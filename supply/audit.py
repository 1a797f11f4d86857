"""`make audit`: is anything known to be wrong with what is locked? Asks a vulnerability service (OSV) by pip-audit.

Ends with 0 only where the service answered and knows of nothing: 1 where it knows of something, 3 where it could not be
asked, which is no good news either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KNOWN, NOT_ASKED = 1, 3


def audited(program: str, lock: Path, service: str = "osv") -> list[dict[str, object]] | None:
    """Each vulnerable package with its vulnerabilities; None where the service could not be asked."""
    command = [program, "-r", str(lock), "--require-hashes", "--disable-pip", "-s", service, "-f", "json"]
    run = subprocess.run(
        [*command, "--progress-spinner", "off", "--timeout", "15"], capture_output=True, text=True, check=False
    )
    try:
        found = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        print(run.stderr.strip().rpartition("\n")[2][:300], file=sys.stderr)
        return None
    if any("skip_reason" in package for package in found):
        print(f"{lock}: not all of it could be looked at", file=sys.stderr)
        return None
    return [package for package in found if package.get("vulns")]


def main(program: str, locks: list[str]) -> int:
    """Every lock in turn."""
    worst = 0
    for lock in locks:
        vulnerable = audited(program, Path(lock))
        if vulnerable is None:
            print(
                f"{lock}: ติดต่อบริการข้อมูลช่องโหว่ไม่ได้ จึงยังไม่ได้ตรวจ / "
                "NOT CHECKED: the vulnerability service could not be asked",
                file=sys.stderr,
            )
            worst = NOT_ASKED
            continue
        for package in vulnerable:
            print(f"✗ {package['name']} {package['version']}")
            for known in package["vulns"]:  # type: ignore[attr-defined]
                print(f"    {known['id']}: fixed in {', '.join(known['fix_versions']) or 'no version yet'}")
        if vulnerable:
            worst = worst or KNOWN
        else:
            print(f"{lock}: ไม่พบช่องโหว่ที่ทราบ / nothing is known to be wrong")
    return worst


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2:]))
