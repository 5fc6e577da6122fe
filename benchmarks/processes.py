"""What the processes of a server hold: memory, open files and threads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from servers import Server

MIB = 1024**2


@dataclass(frozen=True)
class Held:
    """What all processes hold together; memory is PSS, in which shared pages are divided among those that share."""

    pss_mib: float
    open_files: int
    threads: int


def held(server: Server) -> Held:
    """Look at all processes."""
    processes = server.family()
    return Held(
        pss_mib=round(sum(process.memory_full_info().pss for process in processes) / MIB, 1),
        open_files=sum(process.num_fds() for process in processes),
        threads=sum(process.num_threads() for process in processes),
    )


class Peak:
    """The most memory that the processes took since this was made, above what they had then; the kernel keeps it."""

    def __init__(self, server: Server) -> None:
        self._before: dict[int, float] = {}
        for process in server.family():
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the kernel's peak counts from here
            self._before[process.pid] = _memory_mib(process.pid, "VmRSS")

    def growth_mib(self) -> float:
        """Return the growth of each at its peak, added up."""
        growth = (_memory_mib(pid, "VmHWM") - before for pid, before in self._before.items())
        return round(sum(max(0.0, one) for one in growth), 1)


def _memory_mib(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0
