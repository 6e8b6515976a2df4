"""Write the gallery: specimens of every kind as bright-field STEM images, their lines in 3D beside, and their numbers.

python docs/gallery/make.py [-o docs] [--networks DIR] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from blind import blind_table, look, outside
from veristem.datasets import Acquisition, InputError, LineTruth
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations
from veristem.sim.foil import Foil
from veristem.sim.simulate import simulate_recipe
from veristem.sim.statistics import line_statistics

Table = Mapping[str, Mapping[str, float]]  # numbers by name, by specimen

FIELD_NM, PIXELS = 768.0, 384
CASES = Path(os.environ.get("VERISTEM_CASES", "../shared/cases")) / "networks"
BASE: dict[str, Any] = {
    "recipe": {"name": "gallery"},
    "microscope": {
        "energy_keV": 200.0,
        "current_nA": 0.1,
        "convergence_mrad": 12.4,
        "detector": {"kind": "virtual", "pair_angle_deg": 0.6, "radius_mrad": 7.0},
    },
    "scan": {"shape": [PIXELS, PIXELS], "pixel_nm": FIELD_NM / PIXELS, "dwell_us": 20.0},
}


class Exhibit(NamedTuple):
    """One specimen of the gallery: what there is to see, and the specimen table of its recipe."""

    caption: str
    specimen: dict[str, Any]


def _lines(generator: str, density: float, visible: float = 0.8) -> dict[str, Any]:
    return {"generator": generator, "density_per_m2": density, "visible_fraction": visible}


EXHIBITS = {
    "kinked": Exhibit(
        "Glide lines with kinks in CoCrFeMnNi, through a foil with a little contamination.",
        {"contamination": 0.03, "network": _lines("kinked", 3e13)},
    ),
    "lamellae": Exhibit(
        "Lamellae of γ-TiAl seen edge-on, each with its own tilt and c axis; lines stop at the boundaries.",
        {
            "material": "gamma-TiAl",
            "regions": {"size_nm": 170.0, "plane": [1, -1, 1], "variants": True, "tilt_spread_deg": 0.25},
            "network": _lines("kinked", 4e13),
        },
    ),
    "pile-ups": Exhibit(
        "Pile-ups against inclined boundaries, which show fringes, in CoCrFeMnNi.",
        {
            "thickness_nm": 150.0,
            "regions": {"size_nm": 450.0, "stopped": 1.0, "tilt_spread_deg": 0.15},
            "network": _lines("pile_up", 1.2e14, 1.0),
        },
    ),
    "grains": Exhibit(
        "Grains of nickel with cross-slipped lines; some pass the boundaries.",
        {
            "material": "Ni",
            "thickness_nm": 150.0,
            "regions": {"kind": "grains", "size_nm": 420.0, "tilt_spread_deg": 0.3},
            "network": _lines("cross_slipped", 4e13),
        },
    ),
    "cells": Exhibit(
        "Walls of a cell structure in a bent foil of aluminium.",
        {"material": "Al", "thickness_nm": 250.0, "bend_deg": 0.5, "network": _lines("cell_walls", 1.5e14)},
    ),
    "tangles": Exhibit(
        "Tangles near the edge of the hole: thickness fringes in copper, and a contaminated surface.",
        {
            "material": "Cu",
            "thickness_nm": 160.0,
            "wedge_deg": 3.0,
            "hole_nm": 130.0,
            "contamination": 0.05,
            "network": _lines("tangles", 6e13),
        },
    ),
    "sources": Exhibit(
        "Frank-Read sources and the loops they sent out, in aluminium.",
        {"material": "Al", "network": _lines("frank_read", 4e13, 1.0)},
    ),
    "net": Exhibit(
        "A hexagonal net, a low-angle boundary, in nickel.",
        {
            "material": "Ni",
            "thickness_nm": 150.0,
            "g": [2, 0, 0],
            "zone_axis": [0, 1, 1],
            "network": _lines("net", 6e13),
        },
    ),
    "dissociated": Exhibit(
        "Pairs of Shockley partials with a stacking fault between them, in CoCrFeMnNi, g = 1-11.",
        {"thickness_nm": 120.0, "g": [1, -1, 1], "network": _lines("dissociated", 5e13, 1.0)},
    ),
    "file-Al": Exhibit(
        "A foil cut from Al.data, a network of dislocation dynamics.",
        {"material": "Al", "network": {"file": "Al.data"}},
    ),
    "file-bcc": Exhibit(
        "A foil cut from bcc_loading_1e3.data, a network of dislocation dynamics, as iron.",
        {"material": "alpha-Fe", "g": [1, 1, 0], "zone_axis": [0, 0, 1], "network": {"file": "bcc_loading_1e3.data"}},
    ),
    "file-screws": Exhibit(
        "A foil cut from bcc_screws.data, screws of dislocation dynamics, as tantalum.",
        {"material": "Ta", "g": [1, 1, 0], "zone_axis": [0, 0, 1], "network": {"file": "bcc_screws.data"}},
    ),
}


def recipe_of(exhibit: Exhibit, networks: Path) -> Recipe:
    """The recipe of an exhibit; files are sought in ``networks``."""
    specimen = {"field_nm": [FIELD_NM, FIELD_NM], **exhibit.specimen}
    if "file" in specimen["network"]:
        specimen["network"] = {**specimen["network"], "file": str(networks / specimen["network"]["file"])}
    return Recipe.from_table(BASE | {"specimen": specimen}, "gallery")


def draw(truth: LineTruth, acquisition: Acquisition, path: Path) -> None:
    """The first view, with scale bar and g, and the lines of the truth in 3D beside it, as one PNG."""
    import io

    from PIL import Image

    from veristem.reports import figures, scenes

    plotter = scenes.new_plotter()
    size = (*truth.field_nm, truth.thickness_nm)
    scenes.add_network(plotter, truth.network, truth.visible, size_nm=size)
    scenes.add_foil(plotter, size)
    solid = Image.open(io.BytesIO(scenes.picture(plotter)))
    plotter.close()
    figure, axes = figures.new_figure((9.6, 4.2), 2, width_ratios=[1, 1.25])
    view = acquisition.views[0]
    low, high = np.percentile(view, [0.3, 99.7])
    figures.show_view(axes[0, 0], acquisition, view, cmap="gray", vmin=low, vmax=high)
    axes[0, 1].imshow(solid)
    axes[0, 1].axis("off")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100)
    with Image.open(buffer) as whole:
        whole.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def describe(name: str, exhibit: Exhibit, table: Dislocations, notes: tuple[str, ...]) -> list[str]:
    """Markdown of one exhibit."""
    g, zone = (" ".join(f"{i:g}" for i in triple) for triple in (table.g, table.zone_axis))
    facts = (
        f"{table.material}, {table.thickness_nm:g} nm, g = ({g}), zone axis [{zone}], "
        f"turned {table.tilt_about_g_deg:g}° about g, {table.tilt_off_bragg_deg:g}° off Bragg."
    )
    about = " ".join([exhibit.caption, facts, *(note[0].upper() + note[1:] + "." for note in notes)])
    return [f"## {name}", "", about, "", f"![{exhibit.caption}](gallery/{name}.png)", ""]


def statistics_table(rows: Table) -> list[str]:
    """Markdown: a row a specimen."""
    names = next(iter(rows.values()))
    lines = [f"| specimen | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    return [*lines, *(f"| {n} | {' | '.join(f'{v:.3g}' for v in row.values())} |" for n, row in rows.items()), ""]


def write_gallery(out: Path, networks: Path, only: list[str]) -> Path:
    """Simulate, draw and measure the exhibits; one whose file is not there is named on the page."""
    pictures = out / "gallery"
    pictures.mkdir(parents=True, exist_ok=True)
    text: list[str] = []
    statistics: dict[str, dict[str, float]] = {}
    seen: dict[str, dict[str, float]] = {}
    for name in only or EXHIBITS:
        recipe = recipe_of(EXHIBITS[name], networks)
        table = recipe.specimen
        assert isinstance(table, Dislocations)
        file = getattr(table.network, "file", None)
        if file is not None and not Path(file).exists():
            print(f"{name}: left out, {file} not found")
            text += [f"## {name}", "", f"Left out: {Path(file).name} was not there.", ""]
            continue
        truth, acquisition, specimen = simulate_recipe(recipe)
        assert isinstance(truth, LineTruth)
        assert isinstance(specimen, Foil)
        draw(truth, acquisition, pictures / f"{name}.png")
        size = (*truth.field_nm, truth.thickness_nm)
        statistics[name] = line_statistics(truth.network, size, specimen.g_per_nm, specimen.shape.volume_nm3)
        seen[name] = look(truth, acquisition)
        text += describe(name, EXHIBITS[name], table, specimen.notes)
        print(f"{name}: {statistics[name]['density_per_m2']:.2g} per m2, width {seen[name]['line_width_nm']:.1f} nm")
    page = out / "gallery.md"
    page.write_text("\n".join(_page(text, statistics, seen)), encoding="utf-8")
    return page


def _page(text: list[str], statistics: Table, seen: Table) -> list[str]:
    """The whole page: how the images were taken, the exhibits, and both tables."""
    scan, beam = BASE["scan"], BASE["microscope"]
    disc = beam["detector"]
    page = [
        "# Gallery",
        "",
        "Specimens of every kind as bright-field STEM images, their lines in 3D beside: blue where this g shows them,",
        "orange where it does not. Made by `make gallery`.",
        "",
        f"All at {beam['energy_keV']:g} keV, {beam['current_nA']:g} nA, {scan['dwell_us']:g} µs a pixel of "
        f"{scan['pixel_nm']:g} nm, seed 0.",
        f"Of a cone of {beam['convergence_mrad']:g} mrad a disc of {disc['radius_mrad']:g} mrad, "
        f"{disc['pair_angle_deg'] / 2:g}° from the axis, is counted.",
        "",
        *text,
    ]
    if not seen:
        return page
    away = [f"- {sentence}." for sentence in outside(seen)]
    return [
        *page,
        "## The lines in numbers",
        "",
        *statistics_table(statistics),
        "Means are weighted with length. The angle to the beam is 90° for lines in the plane of the foil, character",
        "0° for screws and 90° for edges; what is visible is said in [files](files.md).",
        "",
        "## Blind check",
        "",
        "What can be measured in the images (`gallery/blind.py`), against what is stated of real ones; in bold what",
        "lies outside.",
        "",
        blind_table(seen),
        "Outside:",
        "",
        *(away or ["- nothing"]),
        "",
    ]


def main() -> int:
    """Write the page; 2 when the input is bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parents[1], help="folder of gallery.md")
    parser.add_argument("--networks", type=Path, default=CASES, help="folder with the three network files")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=EXHIBITS, help="of the exhibits")
    options = parser.parse_args()
    try:
        print(write_gallery(options.out, options.networks, options.only))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
