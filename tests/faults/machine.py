"""Functions for the machine: disks, memory, processes, waiting."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from outcome import Skipped

MIB = 1024 * 1024


def wait_for(holds: Callable[[], bool], seconds: float, every: float = 0.05) -> float | None:
    """Waits until `holds` returns true. Returns the seconds it took, or None. The last check is after `seconds`."""
    began = time.monotonic()
    while True:
        late = time.monotonic() - began >= seconds
        if holds():
            return time.monotonic() - began
        if late:
            return None
        time.sleep(every)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def resident_mib(pid: int) -> float:
    """Returns the anonymous memory of a process, without mapped files. It is 0 if the process has ended."""
    try:
        return _status(pid, "RssAnon") / 1024
    except OSError:
        return 0.0


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def descendants(pid: int) -> list[int]:
    """Returns a process and its descendants, itself first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name, in parentheses, may contain spaces.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def send_signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class SmallDisk:
    """A small file system in memory."""

    def __init__(self, directory: Path, size: str):
        if os.geteuid() != 0:
            raise Skipped("mounting a small disk takes root")
        directory.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "latchkey-faults", str(directory)],
            check=False,
            capture_output=True,
            text=True,
        )
        if mounted.returncode != 0:
            raise Skipped(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
        self.directory = directory
        self._filler = directory / "filler"

    def fill(self) -> None:
        """Fills it to the last block."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (MIB, 4096, 1):
                try:
                    while filler.write(b"\0" * size) == size:
                        pass
                except OSError:
                    pass

    def make_room(self) -> None:
        self._filler.unlink()

    def stop(self) -> None:
        # Lazily, because a process that is just ending may have a file open.
        subprocess.run(["umount", "--lazy", str(self.directory)], check=True)


def remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
