"""CPU per mail beside django-helpdesk's `get_email`, same servers, same mails, one run: python -m benchmarks.helpdesk

django-helpdesk makes a ticket of each mail and acknowledges it; nothing is understood and nothing is answered. It runs
in an environment of its own, which `sh benchmarks/install_helpdesk.sh` makes. It fetches one by one, as it is written;
mailflow is measured in batches and one by one. `silent`: without its acknowledgements, each sent on a new connection.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.loopback import DESK, PARTNER, keep, spread
from benchmarks.whole_way import ONE_BY_ONE_SHARE, Bench, ready
from tests.servers import running_mail_servers

from mailflow.settings import Settings

PYTHON = Path(__file__).parents[1] / "var" / "helpdesk" / "bin" / "python"
"""Started with -P, so that this folder is not on its path: `helpdesk` is another package there."""
SIDE = Path(__file__).with_name("helpdesk_side.py")


def get_email(bench: Bench, *, acknowledges: bool) -> float:
    """Milliseconds of CPU a mail."""
    servers = bench.servers
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "folder": folder,
            "host": servers.host,
            "imaps_port": servers.imaps_port,
            "submission_port": servers.submission_port,
            "user": DESK,
            "password": servers.users[DESK],
            "recipient": PARTNER,
            "mailbox": bench.boxes.filled(),
            "acknowledges": acknowledges,
            "no_backend": "django.core.mail.backends.dummy.EmailBackend",
        }
        run = subprocess.run(
            [PYTHON, "-P", SIDE, json.dumps(given)],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ | {"SSL_CERT_FILE": servers.ca_file},
        )
    said = json.loads(run.stdout.splitlines()[-1])
    if said["tickets"] < 0.95 * bench.mails:
        raise SystemExit(f"django-helpdesk made {said['tickets']} tickets of {bench.mails} mails")
    return float(1000 * said["seconds"] / bench.mails)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--mails", type=int, default=2000)
    asked.add_argument("--rounds", type=int, default=3)
    given = asked.parse_args()
    if not PYTHON.exists():
        raise SystemExit("django-helpdesk is not installed: sh benchmarks/install_helpdesk.sh")
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, running_mail_servers() as servers:
        bench = ready(Settings(), servers, Path(name), given.mails)
        for _ in range(given.rounds + 1):
            now = {
                "mailflow, batches": bench.ours_in_batches().ms,
                "mailflow, one by one": bench.ours_one_by_one().ms,
                "django-helpdesk": get_email(bench, acknowledges=True),
                "django-helpdesk, silent": get_email(bench, acknowledges=False),
            }
            print(", ".join(f"{name} {ms:.2f}" for name, ms in now.items()), file=sys.stderr, flush=True)
            for key, ms in now.items():
                found.setdefault(key, []).append(ms)
    told(given.mails, {key: them[1:] for key, them in found.items()})


def told(mails: int, found: dict[str, list[float]]) -> None:
    print(
        f"{mails} mails (one by one: {mails // ONE_BY_ONE_SHARE}); ms CPU a mail, median of the rounds (least to most)"
    )
    for name, them in found.items():
        print(f"{name:<28}{spread(them):>26}")
    ratios = []
    for theirs in ("django-helpdesk", "django-helpdesk, silent"):
        for ours in ("mailflow, batches", "mailflow, one by one"):
            values = [a / b for a, b in zip(found[theirs], found[ours], strict=True)]
            ratios.append({"of": theirs, "to": ours, "ratios": values, "median": statistics.median(values)})
            print(f"{theirs} / {ours:<28}{spread(values):>22}")
    keep("helpdesk", {"mails": mails, "ms": found, "ratios": ratios})


if __name__ == "__main__":
    main()
