"""A plan as a page, a sheet in Markdown, a table for scripts, and recipes to start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from veristem.bench.pages.folder import toml_text
from veristem.bench.plan.answer import Option, Plan, expected
from veristem.bench.plan.films import spheres_of
from veristem.bench.plan.grid import between
from veristem.bench.plan.model import TARGETS, shipped
from veristem.bench.plan.question import shortest_us
from veristem.bench.plan.setups import KINDS
from veristem.bench.plan.signals import small
from veristem.datasets.errors import InputError
from veristem.datasets.specimens import Dislocations
from veristem.reports.plan import plan_page

_MOST_RECIPES = 5


def save_plan(plan: Plan, out: Path, command: str = "") -> list[Path]:
    """Write a plan: a page (.html), a sheet (.md), a table (.json), or all of them and recipes into a folder.

    Raises
    ------
    InputError
        For another suffix, or a place that cannot be written.
    """
    from veristem.bench.study.store import make_folder
    from veristem.datasets.formats.atomic import atomic_path

    makers = {".html": lambda: page(plan, command), ".md": lambda: sheet(plan, command),
              ".json": lambda: json.dumps(table(plan), indent=1) + "\n"}  # fmt: skip
    if out.suffix:
        if out.suffix.lower() not in makers:
            raise InputError(f"{out}: suffix {out.suffix!r} found, {', '.join(makers)} or a folder allowed")
        files = {out: makers[out.suffix.lower()]()}
    else:
        make_folder(out)
        files = {out / f"plan{suffix}": make() for suffix, make in makers.items()}
        best = plan.options[: max(plan.chosen, 1)][:_MOST_RECIPES]
        files |= {out / f"recipe-{n}.toml": recipe_of(plan, option) for n, option in enumerate(best, 1)}
    for path, text in files.items():
        with atomic_path(path) as partial:
            partial.write_text(text, encoding="utf-8")
    return list(files)


def sentence(plan: Plan) -> str:
    """The answer in a sentence."""
    best = plan.options[0]
    shot = best.shot
    start = "Take" if plan.met else "Nothing that this session allows meets the wish; nearest to it are"
    how = f"{shot.current_nA:.3g} nA and {shot.dwell_us:.3g} µs a pixel" + (
        " in each of two scans" * (best.setup.scans > 1)
    )
    reach = (
        f"{plan.method} is expected to find {_share(best.recall)} of the {things(plan)}, with depths that scatter by "
        f"{_length(best.depth_nm)}; the counted electrons allow {best.limit_nm:.2g} nm {_each(plan)}."
    )
    return f"{start} {best.setup.text}, {how}: {reach}"


def sheet(plan: Plan, command: str = "") -> str:
    """A settings sheet in Markdown."""
    scan, best = plan.recipe.scan, plan.options[0]
    twice = ", twice" if best.setup.scans > 1 else ""
    rows = [
        ("Plan", plan.number),
        ("Microscope", f"{plan.instrument.title}, {plan.recipe.microscope.energy_keV:g} kV"),
        ("Specimen", specimen_text(plan)),
        ("Set-up", best.setup.text),
        ("Beam current", f"{best.shot.current_nA:.3g} nA"),
        ("Dwell", f"{best.shot.dwell_us:.3g} µs"),
        ("Scan", f"{scan.shape[1]} x {scan.shape[0]} pixels of {scan.pixel_nm:g} nm{twice}"),
        *_orientation(plan),
        ("Dose", f"{best.shot.dose_per_nm2 * best.setup.scans:.3g} electrons/nm²"),
        ("Time, data", f"{best.shot.time_s:.3g} s, {best.shot.data_GB:.3g} GB"),
        (f"Share of {things(plan)} found", _share(best.recall)),
        ("Scatter in depth", _length(best.depth_nm)),
        (f_name(plan), _share(best.f_score)),
    ]  # fmt: skip
    lines = [f"# Plan {plan.number}", "", sentence(plan), "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    lines += ["", *(f"- **Mind:** {text}" for text in best.warnings)]
    lines += [
        "",
        f"| set-up | dose e/nm² | time s | found | depth nm | {f_name(plan)} | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for n, option in enumerate(plan.options):
        note = "cannot be told from the best" if 0 < n < plan.chosen else "best" if n == 0 else ""
        shot = option.shot
        lines.append(
            f"| {option.setup.text} | {shot.dose_per_nm2 * option.setup.scans:.3g} | {shot.time_s:.3g} | "
            f"{_share(option.recall)} | {_length(option.depth_nm)} | {_share(option.f_score)} | {note} |"
        )
    lines += ["", *(f"- Excluded: {setup.text}: {why}" for setup, why in plan.refused), "", basis(plan)]
    if command:
        lines += ["", f"Made by `{command}`."]
    return "\n".join(lines) + "\n"


def basis(plan: Plan) -> str:
    """What the numbers rest on, in words."""
    of = shipped()["methods"][plan.method]
    is_film = plan.recipe.specimen.kind == "particles"
    specimens = "films" if is_film else "foils"
    text = (
        f"Limits and contrast are of small even {'films of these particles' if is_film else 'foils of one crystal'}, "
        f"imaged for each set-up without errors of the scan; the model of {plan.method} is fitted to {of['runs']} runs "
        f"on {of['foils']} {specimens} of {of['kinds']} kinds ({of['made']}). Brackets come from leaving "
        "each kind out of the fit"
    )
    if proof := of.get("proof"):  # a model just fitted has none yet
        text += (
            f"; of {proof['foils']} {specimens} of {proof['kinds']} kinds that it never saw they held "
            f"{100 * proof['depth']:.0f} % of the depths and {100 * proof['recall']:.0f} % of the shares"
        )
    fitted = "segments" if is_film else "discs"
    if any(option.setup.kind != fitted for option in plan.options):
        text += f". Set-ups other than {fitted} are judged by the same model, which was fitted to {fitted} alone"
    return f"{text}."


def things(plan: Plan) -> str:
    """What is looked for."""
    return "line" if plan.recipe.specimen.kind == "dislocations" else "particles"


def f_name(plan: Plan) -> str:
    """What the column of F is called."""
    return "F at 20 nm" if plan.recipe.specimen.kind == "dislocations" else "F"


def _each(plan: Plan) -> str:
    return "over 20 nm of line" if plan.recipe.specimen.kind == "dislocations" else "for a particle"


def specimen_text(plan: Plan) -> str:
    """The foil or film in words."""
    table_ = plan.recipe.specimen
    if not isinstance(table_, Dislocations):
        spheres = spheres_of(plan.recipe)[1]
        return (
            f"{spheres.concentration_mg_per_ml:g} mg/ml of gold particles of {spheres.diameter_nm:g} nm in "
            f"{table_.thickness_nm:g} nm of ice"
        )
    g = "".join(map(str, table_.g)) if min(table_.g) >= 0 else " ".join(map(str, table_.g))
    return (
        f"{table_.material}, g = {g}, {table_.thickness_nm:g} nm, "
        f"{_power(getattr(table_.network, 'density_per_m2', 0.0))} m⁻² of lines"
    )


def _orientation(plan: Plan) -> list[tuple[str, str]]:
    """How a crystal has to lie; nothing of a film."""
    table_ = plan.recipe.specimen
    if not isinstance(table_, Dislocations):
        return []
    turn = f"g at {table_.g_azimuth_deg:g}° in the image, from the fast scan (x) towards the slow one (y); "
    return [
        ("Rotation", turn + "parallax at right angles to it"),
        ("Off Bragg", f"{table_.tilt_off_bragg_deg:g}° to positive excitation error"),
    ]


def table(plan: Plan) -> dict[str, Any]:
    """The plan for a script."""
    return {
        "plan": plan.number,
        "method": plan.method,
        "met": plan.met,
        "sentence": sentence(plan),
        "chosen": plan.chosen,
        "options": [_row(option) for option in plan.options],
        "refused": [{"setup": setup.text, "why": why} for setup, why in plan.refused],
    }


def at(plan: Plan, angle_deg: float, radius_mrad: float, dose_per_nm2: float) -> dict[str, Any]:
    """What is expected of two discs between those imaged, at a dose a scan: what the page's sliders show.

    Raises
    ------
    InputError
        Beyond what was imaged.
    """
    known = {o.setup.place: o.signal for o in plan.options if o.setup.place}
    place = between(known, angle_deg, radius_mrad)
    found = expected(plan.method, place, dose_per_nm2, plan.crowding)  # type: ignore[reportArgumentType]
    return {
        "angle_deg": angle_deg,
        "radius_mrad": radius_mrad,
        "dose_per_nm2": dose_per_nm2,
        "limit_nm": float(place.limit_nm / np.sqrt(dose_per_nm2)),
        **{target: [float(v) for v in found[target]] for target in TARGETS},
    }


def recipe_of(plan: Plan, option: Option) -> str:
    """The recipe of an option, as a file: `veristem simulate` shows what it would give."""
    values = option.setup.values | {
        "microscope.current_nA": option.shot.current_nA,
        "scan.dwell_us": option.shot.dwell_us,
    }
    loaded = plan.recipe.with_values(values)
    return f"# {plan.number}: {option.setup.text}\n" + toml_text(loaded.model_dump(mode="json"))


def page(plan: Plan, command: str = "") -> str:
    """The page: one HTML file that needs no other."""
    discs = [(o, place) for o in plan.options if (place := o.setup.place)]
    model = shipped()["methods"][plan.method]
    session: dict[str, Any] = {
        "crowding": plan.crowding,
        "pixel_nm": plan.recipe.scan.pixel_nm,
        "pixels": int(np.prod(plan.recipe.scan.shape)),
        "cones": list(plan.instrument.convergence_mrad),
        "crystal": isinstance(plan.recipe.specimen, Dislocations),
        "kikuchi_rad": plan.recipe.kikuchi_azimuth_rad,
        "thickness_nm": plan.recipe.specimen.thickness_nm,
        "current_nA": list(plan.instrument.current_nA),
        "fastest_us": shortest_us(plan.instrument),
        "model": {target: {key: model[target][key] for key in ("parameters", "spread")} for target in TARGETS},
        "discs": [
            {"angle": place[0], "radius": place[1]}
            | {key: getattr(o.signal, key) for key in ("limit_nm", "cnr", "share", "dark", "bright", "image")}
            for o, place in discs
        ],
        "start": None,
        "small_nm": small(plan.recipe, plan.options[0].setup).specimen.field_nm[0],
    }
    if discs:
        best, place = discs[0]
        session["start"] = {"angle": place[0], "radius": place[1], "dose": best.shot.dose_per_nm2}
    fronts = {KINDS[kind]: front for kind, front in plan.fronts.items()}
    return plan_page(
        title=f"Plan for {specimen_text(plan)}",
        number=plan.number,
        sentence=sentence(plan),
        microscope=plan.instrument.title,
        method=plan.method,
        things=things(plan),
        f_name=f_name(plan),
        of_each=_each(plan).removeprefix("over ").removeprefix("for "),
        small=_small_text(plan),
        rows=[_row(option) | {"best": n == 0, "chosen": n < plan.chosen} for n, option in enumerate(plan.options)],
        refused=[(setup.text, why) for setup, why in plan.refused],
        fronts=fronts,
        basis=basis(plan),
        command=command,
        session=session,
    )


def _small_text(plan: Plan) -> str:
    """What Figure 2 of the page shows."""
    small_ = small(plan.recipe, plan.options[0].setup).specimen
    size = f"{small_.field_nm[0]:.0f} × {small_.field_nm[1]:.0f} nm"
    if not isinstance(small_, Dislocations):
        return f"A small film of these particles ({size})"
    return (
        f"A small foil of this crystal ({size}, {_power(getattr(small_.network, 'density_per_m2', 0.0))} m⁻² of lines)"
    )


def _row(option: Option) -> dict[str, Any]:
    return {
        "setup": option.setup.text,
        "kind": option.setup.kind,
        "current_nA": option.shot.current_nA,
        "dwell_us": option.shot.dwell_us,
        "dose_per_nm2": option.shot.dose_per_nm2 * option.setup.scans,
        "time_s": option.shot.time_s,
        "data_GB": option.shot.data_GB,
        "limit_nm": option.limit_nm,
        "contrast": option.signal.contrast,
        "angle_deg": option.signal.angle_deg,
        **{name: [float(v) for v in getattr(option, name)] for name in TARGETS},
        "warnings": list(option.warnings),
    }


def _share(three) -> str:
    value, low, high = three
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def _power(value: float) -> str:
    """A density as people write it."""
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{float(digits):g} x 10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def _length(three) -> str:
    value, low, high = three
    return f"{value:.2g} nm ({low:.2g} to {high:.2g})"
