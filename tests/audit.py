"""Known vulnerabilities of the installed packages, by pip-audit: exit status 1 for any.

    python tests/audit.py [options of pip-audit, in place of --local --skip-editable]

Where the service that knows them cannot be reached, it says so in a line, and the exit status is 0.
"""

import json
import subprocess
import sys

UNREACHED = ("ConnectionError", "could not connect", "network may be blocking", "timed out")


def verdict(output: str, errors: str) -> tuple[int, str]:
    """(exit status, what to say) of what pip-audit wrote to its two streams."""
    try:
        found = json.loads(output)["dependencies"]
    except ValueError:
        last = (errors.strip().splitlines() or ["it said nothing"])[-1][:200]
        if any(sign.lower() in errors.lower() for sign in UNREACHED):
            return 0, f"audit: left out, for the service cannot be reached: {last}"
        return 1, f"audit: pip-audit failed: {last}"
    known = [package for package in found if "vulns" in package]
    bad = [
        f"{package['name']} {package['version']}: {flaw['id']}, mended in"
        f" {', '.join(flaw['fix_versions']) or 'no version'}"
        for package in known
        for flaw in package["vulns"]
    ]
    if bad:
        return 1, "\n".join(["audit: known vulnerabilities", *bad])
    if not known:
        return 0, f"audit: left out, for the service knows none of the {len(found)} packages"
    return 0, f"audit: none known in {len(known)} packages; {len(found) - len(known)} are not known"


def main() -> int:
    options = sys.argv[1:] or ["--local", "--skip-editable"]
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "-f", "json"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    status, said = verdict(done.stdout, done.stderr)
    print(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
