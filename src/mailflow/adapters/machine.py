"""This machine: how it is told from others, and which processes run on it."""

import hashlib
import os
from pathlib import Path


def this_machine() -> str:
    """Equal for processes that see each other's pids, until the machine starts again; different for all others.

    Why not the host's name: containers of one host may share it, and machines may be named alike.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return os.uname().nodename
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:16]


def is_running(pid: int) -> bool:
    """Whether there is a process of that pid. One that ended and was not waited for yet is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # no /proc here; or gone just now, which the next look will tell
        return True
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")
