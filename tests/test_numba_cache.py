"""Where compiled kernels are kept: in a folder for this state of the sources, whoever imports numba first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = "from veristem.bench.metrics import nearest; print(nearest._nearest._cache.cache_path)"


@pytest.mark.parametrize("first", ["", "import numba; "])
def test_kernels_lie_in_the_folder_of_their_sources(tmp_path, first):
    """numba reads its settings when it is imported: a script that did so first got kernels of older sources."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    environment["XDG_CACHE_HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", first + CODE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path / "veristem" / "numba-"))
