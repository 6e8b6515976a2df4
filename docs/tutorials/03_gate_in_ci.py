"""
A gate in CI
============

A method is changed, and the tests are green. Has it become worse? A gate runs it on the same specimens as before and
compares score by score; what specimens differ by chance does not count as a loss.
"""

# %%
# A method, a study, a baseline
# -----------------------------
#
# Three small files: a method, a recipe for specimens, a study that names both. Here lines lie flat in a thin foil, of
# which images take a second; take specimens like yours for a method that you mean.

import os
import subprocess
import sys
import tempfile
from pathlib import Path

METHOD = '''
import numpy as np
from veristem.datasets import Acquisition, CurveSet


def reconstruct(acquisition: Acquisition) -> CurveSet:
    """The darkest row of every column, in the focus plane."""
    image = acquisition.views.mean(axis=0)
    columns = np.arange(image.shape[1])
    x, y = (columns + 0.5) * acquisition.pixel_nm, (image.argmin(axis=0) + 0.5) * acquisition.pixel_nm
    return CurveSet((np.column_stack([x, y, np.full(len(x), acquisition.focus_nm)]),))
'''

RECIPE = """
[recipe]
name = "foil"
[specimen]
thickness_nm = 8.0
field_nm = [64.0, 64.0]
zone_axis = [1, 1, 1]
g = [2, -2, 0]
beams = 2
diffuse = false
relaxed_faces = false
[specimen.network]
density_per_m2 = 1.2e15
visible_fraction = 1.0
plane = [1, 1, 1]
burgers = [0.5, 0, -0.5]
[microscope]
detector = { kind = "virtual", pair_angle_deg = 8.0, radius_mrad = 4.0 }
[scan]
shape = [32, 32]
"""

STUDY = """
[study]
name = "my-gate"
recipe = "foil.toml"
methods = ["mine:reconstruct"]
seeds = 8
"""

folder = Path(tempfile.mkdtemp())
for name, text in (("mine.py", METHOD), ("foil.toml", RECIPE), ("my-gate.toml", STUDY)):
    (folder / name).write_text(text, encoding="utf-8")


def veristem(*words: str, only: slice = slice(None)) -> int:
    """A command, as in a terminal: its exit code. Of what it prints, lines may be left out."""
    program = Path(sys.executable).with_name("veristem")
    done = subprocess.run([program, *words], cwd=folder, env=os.environ, capture_output=True, text=True, check=False)
    print("$ veristem", *words)
    print(*done.stdout.splitlines()[only], sep="\n")
    return done.returncode


veristem("study", "my-gate.toml", "-o", "results")
code = veristem("gate", "results", "--baseline", "baseline.json", "--update")
print("exit code", code)

# %%
# ``baseline.json`` is committed. Nothing has changed, so the gate passes; CI goes by the exit code.

code = veristem("gate", "results", "--baseline", "baseline.json", only=slice(-1, None))
print("exit code", code)

# %%
# A change that nobody notices
# ----------------------------
#
# Somebody puts lines 5 nm below the focus plane. The same command again: the study sees that the method has changed
# and runs it anew, and the gate says what became worse, and by how much less it would not have noticed.

(folder / "mine.py").write_text(METHOD.replace("acquisition.focus_nm)", "acquisition.focus_nm + 5)"), encoding="utf-8")
veristem("study", "my-gate.toml", "-o", "results")
code = veristem("gate", "results", "--baseline", "baseline.json", "--markdown", "gate.md")
print("exit code", code)

# %%
# What CI shows
# -------------
#
# ``--markdown`` writes a summary for a pull request, ``--junit`` a report for the list of tests. In a workflow two
# commands are all: ``veristem study my-gate.toml -o results`` and ``veristem gate results --baseline baseline.json``.
# When the change is meant, ``--update`` writes a new baseline, whose diff is reviewed with the change.

print((folder / "gate.md").read_text(encoding="utf-8")[:1200])

# %%
# A package to copy, with a method, its gate and a workflow: :doc:`/generated/package`.
