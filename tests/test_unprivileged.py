"""Unit tests need neither root nor a network: they run as nobody, in a namespace without any.

Law: a child with another user's id, no capability but that of reading files (a checkout may lie in a home that is
closed to others), and a network namespace in which not even the loopback is up. What it runs is a room of each layer;
a planted test says that it is as poor as it ought to be.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNITS = (
    "tests/core/test_router_pvds.py",
    "tests/core/test_membership.py",
    "tests/core/test_lifetimes.py",
    "tests/core/test_tables.py",
    "tests/wire/test_ra_options.py",
    "tests/wire/test_pvd_option.py",
    "tests/wire/test_dhcp_fields.py",
    "tests/adapters/test_clock.py",
    "tests/adapters/test_identifiers.py",
    "tests/replay/test_report.py",
    "tests/test_scenarios.py",
)
POOR = """
import errno, os, socket, pytest

def test_it_is_poor() -> None:
    assert os.geteuid() != 0
    assert not may(12) and not may(21)  # CAP_NET_ADMIN, CAP_SYS_ADMIN
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"), (socket.AF_INET, "127.0.0.1")):
        with socket.socket(family, socket.SOCK_STREAM) as sock, pytest.raises(OSError) as refused:
            sock.connect((far, 9))
        assert refused.value.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL), (far, refused.value)

def may(capability: int) -> bool:
    (said,) = (line for line in open("/proc/self/status") if line.startswith("CapEff:"))
    return bool(int(said.split()[1], 16) >> capability & 1)
"""


def _poorly() -> list[str]:
    """The words before a command that take root and the network from it."""
    if os.geteuid():
        return ["unshare", "--map-current-user", "--net"]
    only = "-all,+dac_read_search"
    caps = [f"--{what}={only}" for what in ("bounding-set", "inh-caps", "ambient-caps")]
    who = ("--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
    return ["unshare", "--net", "setpriv", *who, *caps]


@pytest.mark.covers("feat:S2")
def test_unit_tests_run_as_nobody_and_without_a_network() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        planted = folder / "test_planted.py"
        planted.write_text(POOR)
        if not os.geteuid():
            os.chown(folder, 65534, 65534)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PVD_"))}
        options = ("-q", "-p", "no:cacheprovider", f"--basetemp={folder / 'made'}")
        done = subprocess.run(
            [*_poorly(), sys.executable, "-P", "-m", "pytest", *options, str(planted), *UNITS],
            cwd=ROOT,
            env={**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": place, "TMPDIR": place},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        passed = int(done.stdout.splitlines()[-1].split()[0])
        assert passed > 100 and "skipped" not in done.stdout, done.stdout
