"""Open our tilt series in ETSpy itself, in an environment of its own: it brings astra-toolbox, 1.2 GB in all.

python tests/validation/with_etspy.py FOLDER
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_VERSION = "1.3.0"
_CHECKOUT = Path(__file__).parents[2]


def run(folder: Path) -> int:
    """Make the environment in a folder, or take the one there, and run the tests that ETSpy is for; their exit code."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    packages = (f"etspy=={_VERSION}", "pytest", str(_CHECKOUT))
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    # without the options in pyproject.toml, whose plugins are not in that environment
    tests = ("-c", os.devnull, "--rootdir", _CHECKOUT, "-p", "no:cacheprovider", "-rs", "-k", "etspy")
    return subprocess.run([python, "-m", "pytest", *tests, _CHECKOUT / "tests/test_formats_mrc.py"]).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(run(Path(sys.argv[1])))
