"""Methods from outside run in a process of their own: whatever they do there is a row, and nothing else notices."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from types import ModuleType

import numpy as np
import pytest

from veristem.bench.study.cell import Cell, Made, run_cell
from veristem.bench.study.key import cell_key
from veristem.bench.study.store import Store
from veristem.datasets import InputError
from veristem.datasets.recipe import load_recipe
from veristem.recon import apart
from veristem.recon.apart import MethodError, reconstruct
from veristem.sim.simulate import simulate_recipe

EVIL = """
import os, time, threading
import numpy as np
from veristem.datasets.reconstruction import CurveSet

def good(a): return CurveSet((np.array([[60.,60,40],[80,80,50],[100,100,60]]),))
def leaves(a): os._exit(0)
def stops(a): raise SystemExit(3)
def crashes(a): import ctypes; ctypes.string_at(0)
def hangs(a): time.sleep(600)
def spoils(a):
    real = np.hypot; np.hypot = lambda *x, **k: 3 * real(*x, **k)
    a.views[:] = 0
    return good(a)
def forks(a):
    if os.fork() == 0: time.sleep(0.2)
    return good(a)
def closes(a): os.closerange(3, 256); return good(a)
def prints(a): print("x" * 10**6); return good(a)
def surrogate(a): raise ValueError("bad \\udcff")
def mute(a):
    class E(Exception):
        def __str__(self): raise RuntimeError("no")
    raise E
def deadly(a): os.kill(os.getpid(), 9)
def fragile(a):
    if os.path.exists(os.environ["MARKER"]): return good(a)
    open(os.environ["MARKER"], "w").close(); deadly(a)
def interrupts(a): raise KeyboardInterrupt
class Sly(CurveSet):
    def __reduce__(self): return (os.system, ("true",))
def sly(a): return Sly(good(a).curves_nm)
def number(a): return 7
"""


@pytest.fixture(scope="module")
def pair():
    """A small truth and its acquisition."""
    values = {"scan.shape": [16, 16], "specimen.field_nm": [64.0, 64.0]}
    return simulate_recipe(load_recipe("cantor-small").with_values(values))[:2]


@pytest.fixture(scope="module", autouse=True)
def evil(tmp_path_factory):
    """The module of bad methods, where it can be imported."""
    folder = tmp_path_factory.mktemp("evil")
    (folder / "evil_methods.py").write_text(textwrap.dedent(EVIL), encoding="utf-8")
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))
    apart.end_all()


def run(name, acquisition, timeout_s=30.0):
    return reconstruct(f"evil_methods:{name}", acquisition, timeout_s)[0]


def test_what_a_method_changes_stays_with_it(pair):
    """It replaced np.hypot and blackened the views: rows of all other methods were spoilt."""
    before = np.hypot(3.0, 4.0), pair[1].views.copy()
    assert len(run("spoils", pair[1]).curves_nm) == 1
    assert np.hypot(3.0, 4.0) == before[0]
    assert np.array_equal(pair[1].views, before[1])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("leaves", "its process ended with 0"),
        ("stops", "SystemExit: 3"),
        ("crashes", "its process ended with -11"),
        ("interrupts", "KeyboardInterrupt"),
        ("surrogate", "ValueError: bad"),
        ("mute", r"E: \(its message cannot be told\)"),
        pytest.param("closes", "its process (closed its pipes|ended)", id="closes"),
    ],
)
def test_however_it_ends_it_is_a_failure_of_its_own(name, told, pair):
    """os._exit(0) ended the whole study without a word; the next run of the method begins anew."""
    for _ in range(2):
        with pytest.raises(MethodError, match=told) as caught:
            run(name, pair[1])
        assert not caught.value.ran_out
        str(caught.value).encode()


def test_a_method_that_hangs_is_ended(pair):
    """And all that it started; a limit holds for methods of the package too."""
    with pytest.raises(MethodError, match=r"no result after 0\.5 s, the time limit"):
        run("hangs", pair[1], 0.5)
    assert reconstruct("constant", pair[1], 60.0)[0].curves_nm
    assert len(run("good", pair[1]).curves_nm) == 1


def test_only_numbers_come_back(pair):
    """A result of a class of its own would run its code here; another kind of result is refused."""
    assert type(run("sly", pair[1])).__name__ == "CurveSet"
    with pytest.raises(InputError, match="returned int, a CurveSet allowed"):
        run("number", pair[1])


@pytest.mark.parametrize("name", ["prints", *(["forks"] if hasattr(os, "fork") else [])])
def test_what_it_prints_or_leaves_is_no_answer(name, pair):
    """Two answers to one request, or letters among them, would belong to the next one."""
    for _ in range(3):
        assert len(run(name, pair[1]).curves_nm) == 1


def test_the_result_is_the_same_as_here(pair):
    """A method of the package gives the same numbers in a process of its own."""
    here, there = (reconstruct("stereo-classical", pair[1], limit)[0] for limit in (None, 120.0))
    assert len(here.curves_nm) == len(there.curves_nm)
    assert all(np.array_equal(a, b) for a, b in zip(here.curves_nm, there.curves_nm))


@pytest.mark.parametrize("name", ["surrogate", "mute", "leaves", "hangs"])
def test_a_row_that_says_so(name, tmp_path):
    """A lone surrogate, or a message that cannot be told, kept a study from ever getting past its cell."""
    values = {"scan.shape": [16, 16], "specimen.field_nm": [64.0, 64.0]}
    recipe, method = load_recipe("cantor-small").with_values(values), f"evil_methods:{name}"
    limit = 0.5 if name == "hangs" else None
    cell = Cell(cell_key(recipe, method, 20.0, timeout_s=limit), recipe, {}, method, 20.0, "s", timeout_s=limit)
    row, log = run_cell(cell, Made())
    assert row["failure"] == "method"
    store = Store(tmp_path)
    store.put(cell.key, row, log)
    assert store.finished([cell.key]) == {cell.key}


def test_the_limit_is_part_of_what_a_row_depends_on():
    """A longer one runs again what was ended; without one keys are what they were."""
    recipe = load_recipe("cantor-small")
    keys = {cell_key(recipe, "constant", 20.0, timeout_s=limit) for limit in (None, 1.0, 2.0)}
    assert len(keys) == 3


def test_a_built_in_module_is_no_traceback():
    """os:system is of a module without a file."""
    assert cell_key(load_recipe("cantor-small"), "os:system", 20.0)


@pytest.mark.parametrize("said", [17, "", "no.such.module"])
def test_what_a_function_says_it_is_from_may_be_anything(monkeypatch, said):
    """It is no module that could be read."""

    def method(acquisition):
        return None

    method.__module__ = said
    name = f"foreign{len(str(said))}"
    module = ModuleType(name)
    module.method = method  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, name, module)
    assert cell_key(load_recipe("cantor-small"), f"{name}:method", 20.0)


def test_a_killed_process_is_tried_again(pair, tmp_path, monkeypatch):
    """Memory may have run out for once; the second time it is a failure of the machine."""
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    assert len(run("fragile", pair[1]).curves_nm) == 1
    with pytest.raises(MethodError, match=r"ended with -9 .*its memory may have run out") as caught:
        run("deadly", pair[1])
    assert caught.value.ran_out


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("printf '\\377\\376'; exit 3", "ended with 3: \ufffd"),
        ("yes | head -c 30000000; echo; echo last words; exit 4", "ended with 4: last words"),
        ("sleep 30 & echo 'went on' >&2; exit 5", "ended with 5: went on"),
    ],
)
def test_what_a_program_says(script, told, pair, tmp_path):
    """Bytes that are no text, gigabytes, a child that keeps stdout open: the last line, and no waiting."""
    program = tmp_path / "mine.sh"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=told):
        reconstruct(str(program), pair[1])
    assert time.monotonic() - start < 25  # less than its child sleeps


@pytest.mark.slow
def test_a_program_that_hangs_is_ended(pair, tmp_path):
    """With all it has started."""
    program = tmp_path / "mine.sh"
    program.write_text("#!/bin/sh\nsleep 600\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(MethodError, match="the time limit"):
        reconstruct(str(program), pair[1], 1.0)
