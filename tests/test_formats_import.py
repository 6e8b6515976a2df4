"""The formats import fast: heavy libraries come with the first file that needs them."""

import subprocess
import sys

import pytest

from veristem.datasets import InputError
from veristem.datasets.formats import read_curves, read_network

HEAVY = ("h5py", "vtkmodules", "pyvista", "rsciio", "skimage")


def test_no_heavy_import():
    """`veristem list` must not wait for VTK."""
    code = "import sys, veristem.datasets.formats as f; from veristem.datasets.formats import " + (
        "acquisition_h5, truth_h5, images, hspy, vtp; " + f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_other_suffixes():
    """The error says which are allowed."""
    with pytest.raises(InputError, match=r"x\.xyz: suffix '\.xyz' found, a network as \.ca, \.data or \.vtp allowed"):
        read_network("x.xyz")
    with pytest.raises(InputError, match=r"curves as \.vtp allowed"):
        read_curves("x.csv")
