"""What a result was made with: versions and machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

_LIBRARIES = ("veristem", "numpy", "scipy", "numba", "h5py", "pyvista", "matplotlib")


def versions() -> dict[str, str]:
    """Of Python and of the libraries that numbers and pictures come from."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def machine() -> dict[str, str]:
    """Name of the system and of the processor, cores and memory."""
    import psutil

    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GiB"
    return {
        "system": platform.platform(), "processor": _processor(), "cores": str(os.cpu_count()), "memory": memory
    }  # fmt: skip


def peak_memory_mib() -> float | None:
    """Most memory that this process, or any of its children that have ended, has held at once [MiB]; None if untold."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most / (2**20 if platform.system() == "Darwin" else 2**10), 1)


def _processor() -> str:
    """As far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()
