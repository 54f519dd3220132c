"""A test in namespaces of its own: network, mounts, /run/netns and /etc/netns. The machine's stay as they were.

Law: what a test makes ends with it, however it ends; two that run at once never meet.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import signal
import subprocess
import traceback
from collections.abc import Callable
from typing import Any

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def sh(command: str) -> str:
    """A command's standard output; it must succeed."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert not done.returncode, f"{command}: {done.stderr}"
    return done.stdout


def _enter() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    assert not _libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET), os.strerror(ctypes.get_errno())
    assert not _libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    assert not _libc.mount(b"none", b"/run", b"tmpfs", 0, None)
    os.makedirs("/etc/netns", exist_ok=True)
    assert not _libc.mount(b"none", b"/etc/netns", b"tmpfs", 0, None)
    os.makedirs("/run/netns")
    sh("ip link set lo up")


def sandboxed(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test in a child that has namespaces of its own; what fails there fails here. Needs root, and `ip`."""

    @functools.wraps(test)
    def outside(*args: Any, **kwargs: Any) -> None:
        assert os.geteuid() == 0 and shutil.which("ip"), "live tests need root and iproute2"
        read, write = os.pipe()
        child = os.fork()
        if not child:
            said = b""
            try:
                os.close(read)
                _enter()
                test(*args, **kwargs)
            except BaseException:
                said = traceback.format_exc().encode()
            finally:
                with os.fdopen(write, "wb") as pipe:
                    pipe.write(said or b"ok")
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        assert said == b"ok", said.decode() or "the child ended without a word"

    return outside
