"""Files from one format to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from veristem.datasets.errors import InputError

_NETWORKS = (".data", ".ca", ".vtp")
_PARTICLES = (".csv", ".xyz")


def convert_files(
    sources: list[Path],
    target: Path,
    burgers_magnitude_nm: float | None = None,
    pair_angle_deg: float | None = None,
    pixel_nm: float | None = None,
    material: str | None = None,
    say: Callable[[str], Any] = lambda line: None,
    **known,
) -> str:
    """Convert by suffix: networks, particles, an acquisition to .hspy or .mrc, images to an acquisition.

    Returns what should be said of it; ``say`` gets what needs attention, one line a call. ``known`` and the material
    of real images are the fields of `real.Known`.

    Raises
    ------
    InputError
        For suffixes that do not go together, or a value that is missing.
    """
    known = {name: value for name, value in known.items() if value is not None}
    kinds = [s.suffix.lower() for s in sources]
    wanted = target.suffix.lower()
    if len(sources) == 2 and wanted == ".h5":
        from veristem.bench.files.real import Known, pair_of_images
        from veristem.datasets.formats.acquisition_h5 import write_acquisition

        if pair_angle_deg is None:
            raise InputError("convert: a stereo pair needs `pair_angle_deg` and, unless the images say it, `pixel_nm`")
        pair, note = pair_of_images(sources, pixel_nm, pair_angle_deg, Known(material=material, **known), say)
        write_acquisition(target, pair)
        return note
    elif kinds in ([".mrc"], [".hspy"]) and wanted == ".h5":
        from veristem.bench.files.real import Known, tilt_series
        from veristem.datasets.formats.acquisition_h5 import write_acquisition

        series, note = tilt_series(sources[0], pixel_nm, Known(material=material, **known), say)
        write_acquisition(target, series)
        return note
    elif kinds == [".h5"] and wanted == ".h5":
        from veristem.bench.files.real import Known
        from veristem.datasets.formats.acquisition_h5 import read_acquisition, write_acquisition

        if pair_angle_deg is not None or pixel_nm is not None:
            raise InputError("convert: `pair_angle_deg` or `pixel_nm` found, which an acquisition tells; leave it out")
        images = read_acquisition(sources[0])
        given = known if material is None else {**known, "material": material}
        write_acquisition(target, Known.of(images, **given).told_to(images))
        return "the same images, with what was said of them"
    elif kinds == [".h5"] and wanted == ".hspy":
        from veristem.datasets.formats.acquisition_h5 import read_acquisition
        from veristem.datasets.formats.hspy import write_hspy

        write_hspy(target, read_acquisition(sources[0]))
    elif kinds == [".h5"] and wanted == ".mrc":
        from veristem.datasets.formats.acquisition_h5 import read_acquisition
        from veristem.datasets.formats.mrc import write_tilt_series

        return f"angles in {write_tilt_series(target, read_acquisition(sources[0]))}"
    elif len(kinds) == 1 and kinds[0] in _PARTICLES and wanted in _PARTICLES:
        from veristem.datasets import formats

        formats.write(target, formats.read_particles(sources[0]))
    elif len(kinds) == 1 and kinds[0] in _NETWORKS and wanted in (".data", ".vtp"):
        from veristem.datasets.crystal import load_material
        from veristem.datasets.formats import read_network
        from veristem.datasets.formats.paradis import burgers_unit_nm, control_file, write_data
        from veristem.datasets.formats.vtp import write_vtp

        unit, origin, made = burgers_magnitude_nm, "the option", ""
        if unit is None and kinds[0] == ".data":
            control = control_file(sources[0])
            unit, origin = burgers_unit_nm(sources[0]), f"burgMag of {control and control.name} beside it"
        if unit is None and material is not None:
            unit, origin = load_material(material).shortest_burgers_nm, f"the shortest Burgers vector of {material}"
        network = read_network(sources[0], unit)
        if wanted == ".vtp":
            write_vtp(target, network)
        elif unit is None:
            raise InputError(
                f"{target}: a .data file has lengths in units of |b|; give `burgers_magnitude_nm` or `material`"
            )
        else:
            edge = write_data(target, network, unit)
            if edge is not None:
                made = f"; the format is periodic: the network is in a cube of {edge:.4g} nm made for it"
        if unit is not None:
            return f"unit of length {unit:.4g} nm, from {origin}{made}"
    else:
        found = " ".join(kinds)
        raise InputError(
            f"convert: {found} to {wanted} found, allowed are a network (.data .ca .vtp) to .data or .vtp, particles "
            "(.csv .xyz) to .csv or .xyz, an acquisition .h5 to .h5, .hspy or, of a tilt series, to .mrc, two images "
            "or a tilt series (.mrc .hspy) to .h5"
        )
    return ""
