"""Where compiled kernels are kept.

numba's cache of a kernel does not notice that a helper in another file has changed. The folder is therefore named after
a hash of all files in folders with kernels; a change to any of them begins a new one.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path


def set_numba_cache() -> None:
    """Point NUMBA_CACHE_DIR at a folder for this state of the sources, unless it is set; before any kernel."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    digest = hashlib.sha256()
    for room in ("sim", "recon", "bench"):  # those with kernels stand beside this one
        files = {file: file.read_bytes() for file in sorted((Path(__file__).parents[1] / room).rglob("*.py"))}
        folders = {file.parent for file, text in files.items() if b"njit" in text}
        for file, text in files.items():  # a kernel has the constants of its neighbours compiled in
            digest.update(text if file.parent in folders else b"")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "veristem" / f"numba-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # numba then keeps its cache beside the sources
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if numba := sys.modules.get("numba"):  # it reads its settings when it is imported
        numba.config.reload_config()
