"""The planner: its arithmetic, every rule and warning, and a page that says what the command says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import veristem as vs
from browser import browsed
from veristem.bench.pages import plan as pages
from veristem.bench.plan import answer, model, signals
from veristem.bench.plan.grid import between
from veristem.bench.plan.question import ELECTRONS_PER_NC, Exposure, Session, Wish, exposure, largest_dose
from veristem.bench.plan.setups import KINDS, Setup, disc_values, setups_of
from veristem.bench.plan.verify import verified
from veristem.bench.plan.warnings import warnings_of
from veristem.datasets import InputError
from veristem.datasets.instruments import instrument_names, load_instrument
from veristem.datasets.recipe import load_recipe

FOIL = load_recipe("cantor-stereo")
THEMIS, OSIRIS = load_instrument("themis-4d"), load_instrument("osiris")
SIGNAL = signals.Signal(0.1, 0.3, 450.0, 8.0, 0.02, 0.05, 0.8, 1.2)
METHOD = "stereo-learned"


def discs(angle: float = 8.0, radius: float = 7.5, cones=THEMIS.convergence_mrad) -> Setup:
    """Two discs of a 4D scan."""
    values = disc_values(angle, radius, cones)
    assert values is not None
    common = {"microscope.energy_keV": 200.0, "microscope.aberrations": "corrected"}
    return Setup("discs", "two discs", common | values)


@pytest.fixture
def told(monkeypatch):
    """Signals by closed form, so that no foil is imaged: a limit that goes as 1 / tan(phi / 2) and as 1 / radius."""

    def of(recipe, setups, say=None, workers=2, progress=None):
        found = []
        for setup in setups:
            angle, radius = setup.place or (3.0, 5.0)
            limit = 450.0 * np.tan(np.radians(4)) / np.tan(np.radians(angle / 2)) * (7.5 / radius) ** 0.5
            png = signals._png(np.full((80, 80), 128, np.uint8))
            found.append(replace(SIGNAL, limit_nm=limit, angle_deg=angle, cnr=0.3 * radius / 7.5, image=png))
        return found

    monkeypatch.setattr(answer, "signals_of", of)


def made(**how) -> answer.Plan:
    """A plan for the Cantor alloy."""
    how = {"session": Session(), "wish": Wish(), "method": METHOD} | how
    return answer.plan(FOIL, how.pop("instrument", THEMIS), **how)


# --- the microscopes


@pytest.mark.parametrize("name", instrument_names())
def test_every_set_up_of_every_microscope_can_be_imaged(name):
    """Its values make a recipe, its discs lie in their cone, and each number of the file has a source."""
    instrument = load_instrument(name)
    setups = setups_of(instrument, instrument.energies_keV[0])
    for setup in setups:
        small = signals.small(FOIL, setup)
        assert small.microscope.convergence_mrad == setup.convergence_mrad in instrument.convergence_mrad
        for region in small.microscope.detector.regions(small.kikuchi_azimuth_rad):
            assert np.hypot(*region.center_rad) < 1e-3 * setup.convergence_mrad
    assert {setup.kind for setup in setups} <= KINDS.keys()
    assert {"convergence_mrad", "current_nA"} <= instrument.source.keys()


def test_a_pair_of_discs_stands_in_the_smallest_cone_that_holds_it():
    """Of the same dose more of the electrons then lie in the discs."""
    assert disc_values(2.0, 7.5, (28.0, 60.0, 91.0))["microscope.convergence_mrad"] == 28.0  # type: ignore[index]
    assert disc_values(8.0, 15.0, (28.0, 60.0, 91.0))["microscope.convergence_mrad"] == 91.0  # type: ignore[index]
    assert disc_values(12.0, 15.0, (28.0, 60.0, 91.0)) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nothing = 3", "title"),
        ("title = 3", "title"),
        ("title = 'x'\nenergies_keV = []\nconvergence_mrad = [1]\ncurrent_nA = [1, 2]", "energies_keV"),
        ("title = [", "TOML allowed"),
    ],
)
def test_a_bad_microscope_is_one_line(tmp_path, text, says):
    """The file and the key are named."""
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says) as error:
        load_instrument(str(path))
    assert "\n" not in str(error.value)
    assert "mine.toml" in str(error.value)


def test_an_unknown_microscope_names_the_known():
    """What can be chosen is said."""
    with pytest.raises(InputError, match=r"osiris.*themis-4d"):
        load_instrument("nowhere")


# --- exposure and limits


@given(st.floats(0.0, 7.0), st.sampled_from(["discs", "segments"]))
def test_an_exposure_gives_its_dose(log_dose, kind):
    """Within what current and frame rate allow it gives what is asked for, and never less; current x dwell is dose."""
    dose = 10**log_dose
    setup = replace(discs(), kind=kind)
    shot = exposure(FOIL, THEMIS, setup, dose)
    low, high = THEMIS.current_nA
    assert low <= shot.current_nA <= high * (1 + 1e-12)
    assert shot.dwell_us >= (500.0 if kind == "discs" else 0.5)
    electrons = shot.current_nA * shot.dwell_us * 1e-6 * ELECTRONS_PER_NC
    assert shot.dose_per_nm2 == pytest.approx(electrons / FOIL.scan.pixel_nm**2)
    assert shot.dose_per_nm2 >= dose * (1 - 1e-9)
    if shot.current_nA > low * (1 + 1e-9):
        assert shot.dose_per_nm2 == pytest.approx(dose)
    assert shot.time_s == pytest.approx(256 * 256 * shot.dwell_us * 1e-6)


def test_no_limit_leaves_the_dose_of_the_recipe():
    """0.1 nA for 590 us on 4 nm² are 92 063 electrons/nm²; of two scans each has half of what is allowed."""
    assert largest_dose(FOIL, THEMIS, discs(), Session()) == pytest.approx(0.1e-9 * 590e-6 / 1.602176634e-19 / 4)
    pair = next(setup for setup in setups_of(OSIRIS, 200.0) if setup.kind == "tilts")
    assert largest_dose(FOIL, OSIRIS, pair, Session(dose_per_nm2=1e4)) == pytest.approx(5e3)


@pytest.mark.parametrize(
    ("session", "says"),
    [
        (Session(time_s=1.0), "takes at least 32.8 s"),
        (Session(dose_per_nm2=10.0), "gives at least"),
        (Session(data_GB=0.1), "makes 8.59 GB"),
    ],
)
def test_limits_that_exclude_a_set_up_are_one_line(session, says):
    """What is asked for, and what the set-up takes at least."""
    with pytest.raises(InputError, match=says):
        largest_dose(FOIL, THEMIS, discs(), session)


@pytest.mark.parametrize(
    "how", [{"dose_per_nm2": -1.0}, {"time_s": float("nan")}, {"data_GB": 0.0}, {"drift_nm_per_s": -0.1}]
)
def test_limits_are_numbers_above_0(how):
    """Named as the option is."""
    with pytest.raises(InputError, match=next(iter(how))):
        Session(**how)


@pytest.mark.parametrize("how", [{"depth_nm": 0.0}, {"depth_nm": float("inf")}, {"recall": 1.0}, {"recall": -0.5}])
def test_wishes_are_possible_numbers(how):
    """A share lies between 0 and 1, a length above 0."""
    with pytest.raises(InputError):
        Wish(**how)


# --- warnings: one a rule


def shot_of(**how) -> Exposure:
    """An ordinary exposure, changed."""
    return replace(Exposure(0.05, 500.0, 4e4, 33.0, 8.6), **how)


@pytest.mark.parametrize(
    ("setup", "signal", "shot", "session", "says"),
    [
        (discs(1.0, 15.0), SIGNAL, shot_of(), Session(), "discs overlap"),
        (
            Setup("discs", "", discs().values | {"microscope.convergence_mrad": 75.0}),
            SIGNAL,
            shot_of(),
            Session(),
            "rim of the cone clips",
        ),
        (
            Setup("discs", "", discs(8.0, 15.0).values | {"microscope.aberrations": "unbalanced"}),
            SIGNAL,
            shot_of(),
            Session(),
            "aberrations blur",
        ),
        (discs(), replace(SIGNAL, unseen=0.4), shot_of(), Session(), "40 % of the line"),
        (discs(), SIGNAL, shot_of(), Session(drift_nm_per_s=0.1), "drifts by 3.3 nm"),
        (discs(), SIGNAL, shot_of(dwell_us=5e5), Session(), "a pixel of the counter takes"),
        (
            Setup("tilts", "", {"microscope.convergence_mrad": 6.0, "microscope.detector": {"kind": "annular"}}),
            SIGNAL,
            shot_of(),
            Session(),
            "near its Bragg condition",
        ),
    ],
)
def test_each_rule_has_its_warning(setup, signal, shot, session, says):
    """And a sound condition has none."""
    foil = FOIL if setup.kind != "tilts" else FOIL.with_values({"specimen.tilt_about_g_deg": 0.0})
    assert any(says in text for text in warnings_of(foil, THEMIS, setup, signal, shot, session))
    assert not warnings_of(FOIL, THEMIS, discs(), SIGNAL, shot_of(), Session())


# --- the model


@given(st.sampled_from(model.TARGETS), st.floats(0.01, 0.99))
def test_back_from_the_scale_of_errors(target, value):
    """Logits and logarithms are undone."""
    assert model.unlink(target, model.link(target, value)) == pytest.approx(value, rel=1e-9)


@given(st.sampled_from(["stereo-classical", METHOD]), st.floats(100.0, 1e6), st.floats(1.1, 10.0))
def test_more_electrons_never_make_it_worse(method, dose, more):
    """Of the same set-up: depths scatter less, more is found; every interval holds its value."""
    x = model.features(SIGNAL, np.array([dose, more * dose]), 0.03)
    depth, recall = (model.predict(method, target, x) for target in ("depth_nm", "recall"))
    assert depth[1, 0] <= depth[0, 0]
    assert recall[1, 0] >= recall[0, 0]
    for three in (*depth, *recall):
        assert three[1] <= three[0] <= three[2]


def test_the_fit_finds_what_made_the_data():
    """Without noise to four digits."""
    rng = np.random.default_rng(0)
    ends = ((2, 12), (5, 80), (0.01, 0.1), (0.5, 8))
    x = np.column_stack([rng.uniform(*pair, 300) for pair in ends])
    for target, parameters in (
        ("depth_nm", (0.2, 0.1)),
        ("depth_nm", (0.3, 1.2, 0.4, 0.2)),
        ("recall", (1.1, 0.5, 0.4, 0.2)),
    ):
        y = model.unlink(target, model.curve(target, parameters, x))
        if target == "recall":
            y = np.clip(y, 0.006, 0.994)
            x, y = x[(y > 0.01) & (y < 0.99)], y[(y > 0.01) & (y < 0.99)]
        found = model.fit(target, x, y, np.ones(len(y)), by_limit=len(parameters) == 2)
        np.testing.assert_allclose(found, parameters, atol=1e-4)


def test_a_method_that_the_model_does_not_know_is_refused(told):
    """Before any foil is imaged, with those it knows."""
    with pytest.raises(InputError, match="stereo-learned"):
        made(method="nobody")


# --- between what was imaged


def test_between_the_discs_a_limit_goes_as_the_tangent(told):
    """At what was imaged the signal itself; between, exactly what follows one law; beyond, an error."""
    plan = made()
    known = {o.setup.place: o.signal for o in plan.options if o.setup.place}
    place = between(known, 4.0, 7.5)
    assert (place.limit_nm, place.cnr) == pytest.approx((known[4.0, 7.5].limit_nm, known[4.0, 7.5].cnr))
    between_them = between(known, 5.0, 10.0)
    law = 450.0 * np.tan(np.radians(4)) / np.tan(np.radians(2.5)) * (7.5 / 10.0) ** 0.5
    assert between_them.limit_nm == pytest.approx(law, rel=1e-3)
    with pytest.raises(InputError, match="what was imaged"):
        between(known, 30.0, 7.5)


# --- the answer


@pytest.mark.slow
def test_a_wish_gets_the_least_dose_and_a_limit_the_least_error(told):
    """Twice the depth wished for takes no more electrons; what nothing meets is said, with the nearest."""
    fine, coarse = (made(wish=Wish(depth_nm=nm), session=Session(dose_per_nm2=1e6)) for nm in (6.0, 12.0))
    dose = [plan.options[0].shot.dose_per_nm2 * plan.options[0].setup.scans for plan in (fine, coarse)]
    assert fine.met
    assert dose[0] >= dose[1]
    assert fine.options[0].depth_nm[0] <= 6.0
    never = made(wish=Wish(depth_nm=1e-3))
    assert not never.met
    assert pages.sentence(never).startswith("Nothing that this session allows meets the wish")
    best = made(session=Session(dose_per_nm2=2e4))
    enough = [o for o in best.options if o.recall[0] >= max(p.recall[0] for p in best.options) - answer.LEAST_RECALL]
    assert best.options[0].depth_nm[0] == min(o.depth_nm[0] for o in enough)
    assert 1 <= best.chosen <= answer.SHARE * len(best.options) + 1


def test_the_number_names_what_was_asked(told):
    """The same question has the same number, another one another."""
    assert made().number == made().number != made(session=Session(dose_per_nm2=3e4)).number


@pytest.mark.parametrize(
    ("recipe", "how", "says"),
    [
        ("cantor-stereo", {"values": {"microscope.energy_keV": 80.0}}, "80 found"),
        ("cantor-stereo", {"setups": ["tilts"]}, "this microscope has not"),
        ("cantor-stereo", {"setups": ["mirrors"]}, "allowed are discs"),
        ("cantor-stereo", {"values": {"specimen.material": "Unobtainium"}}, "Unobtainium"),
        ("cantor-stereo", {"time_s": 1e-6}, "no set-up is left"),
        ("cantor-stereo", {"completeness": 2.0}, "completeness"),
    ],
)
def test_bad_questions_are_one_line(recipe, how, says):
    """Nothing is imaged for them."""
    with pytest.raises(InputError, match=says) as error:
        vs.plan(recipe, **how)
    assert "\n" not in str(error.value)


def test_shipped_materials_are_answered_without_imaging(cli, tmp_path, monkeypatch):
    """From the table that ships; the files of a folder read back, and each recipe is one."""
    monkeypatch.setattr(signals, "_measured", None)
    done = cli("plan", "--dose-per-nm2", 2e4, "-o", tmp_path / "plan")
    assert done.code == 0, done.err
    table = json.loads((tmp_path / "plan/plan.json").read_text("utf-8"))
    sheet = (tmp_path / "plan/plan.md").read_text("utf-8")
    assert table["plan"] in sheet
    assert table["sentence"] in sheet
    first = load_recipe(str(tmp_path / "plan/recipe-1.toml"))
    assert first.scan.dwell_us == pytest.approx(table["options"][0]["dwell_us"])
    doses = [option["dose_per_nm2"] for option in table["options"]]
    assert max(doses) <= 2e4 * (1 + 1e-6)
    text = (tmp_path / "plan/plan.html").read_text("utf-8")
    assert len(text) < 5e6
    assert not re.findall(r"(?:src|href)=[\"']?(?!data:)[^\"' >]+", text)


def test_the_page_says_what_the_command_says(told, tmp_path):
    """Sliders turned in a browser: the numbers are those of Python, and the browser has nothing to say."""
    plan = made(session=Session(dose_per_nm2=2e4))
    text = pages.page(plan)
    turn = """<script>for (const [name, value] of [["angle", 7], ["radius", 10], ["dose", 4]]) {
      document.getElementById(name).value = value; document.getElementById(name).dispatchEvent(new Event("input")); }
      </script>"""
    dom, said = browsed(tmp_path / "plan.html", text.replace("</body>", turn + "</body>"))
    assert "CONSOLE" not in said
    shown = json.loads(re.findall(r'data-expected="([^"]*)"', dom)[0].replace("&quot;", '"'))
    wanted = pages.at(plan, 7.0, 10.0, 1e4)
    for name in ("limit_nm", "depth_nm", "recall", "f_score"):
        np.testing.assert_allclose(shown[name], wanted[name], rtol=1e-9)


def test_a_page_without_discs_has_no_knobs(told, tmp_path):
    """Of a microscope without a counter; nothing refers to what is not there."""
    text = pages.page(made(instrument=OSIRIS))
    assert "Turn the knobs" not in text
    assert "<script" not in text
    assert "specimen tilted by" in text


@pytest.mark.parametrize("name", ["plan.pdf", "plan.txt"])
def test_another_suffix_is_refused(told, tmp_path, name):
    """And nothing is written."""
    with pytest.raises(InputError, match=r"\.html, \.md, \.json"):
        pages.save_plan(made(), tmp_path / name)
    assert not list(Path(tmp_path).iterdir())


@pytest.mark.slow
def test_what_is_tried_comes_in_the_order_of_what_was_reached(told, tmp_path, tiny):
    """Two set-ups on two small foils: both are told what the method reached, the others stay behind them."""
    (tmp_path / "tiny.toml").write_text(tiny, encoding="utf-8")
    asked = vs.plan(tmp_path / "tiny.toml", setups=["segments"], method="stereo-classical")
    plan = verified(asked, 2, workers=1)
    first, second, *rest = plan.options
    assert all(option.warnings[-1].startswith("tried on") for option in (first, second))
    assert not any("tried on" in text for option in rest for text in option.warnings)
    assert plan.chosen == 1
    with pytest.raises(InputError, match="at least 2"):
        verified(asked, 1)


def test_imaging_tells_how_far_it_is(monkeypatch):
    """Each set-up gets the mean of its own foils, in whatever groups they are imaged."""
    asked = [discs(angle) for angle in (4.0, 5.0, 6.0, 7.0, 8.0)]
    monkeypatch.setattr(signals, "shipped", dict)

    def measured(work):
        return [replace(SIGNAL, angle_deg=setup.place[0] + (work[2] == signals.SEEDS[1])) for setup in work[1]]

    monkeypatch.setattr(signals, "_measured", measured)
    told: list[int] = []
    found = signals.signals_of(FOIL, asked, workers=1, progress=lambda groups, total: told.append(total) or groups)
    assert [signal.angle_deg for signal in found] == [4.5, 5.5, 6.5, 7.5, 8.5]
    assert told == [4]


@pytest.mark.slow
def test_the_table_that_ships_is_what_is_measured_now():
    """One set-up imaged anew: a change of the images would need `make planner-model`."""
    setup = discs()
    known = signals.shipped()[signals.key_of(FOIL, setup)]
    now = signals._mean([signals._measured((FOIL, [setup], seed))[0] for seed in signals.SEEDS])
    for name in ("contrast", "cnr", "limit_nm", "angle_deg", "share"):
        assert getattr(now, name) == pytest.approx(getattr(known, name), rel=0.02)
