"""What to say of a condition before anyone sits down at the microscope: one function a rule."""

from __future__ import annotations

import numpy as np

from veristem.bench.plan.question import ELECTRONS_PER_NC, Exposure, Session
from veristem.bench.plan.setups import Setup
from veristem.bench.plan.signals import Signal
from veristem.datasets.instruments import Instrument
from veristem.datasets.recipe import Recipe
from veristem.datasets.specimens import Dislocations

_UNSEEN = 0.15  # of the length along the parallax, from which on it is said
_FULL = 0.5  # of a counter's range, from which on counts are lost in bright pixels


def warnings_of(
    recipe: Recipe, instrument: Instrument, setup: Setup, signal: Signal, shot: Exposure, session: Session
) -> list[str]:
    """All that holds of a condition, in words; nothing where all is well.

    Parameters
    ----------
    recipe : Recipe
        Of the foil, the scan and the pixel.
    instrument, setup, signal : Instrument, Setup, Signal
        What is chosen, and what it shows.
    shot : Exposure
        How it is exposed.
    session : Session
        For the drift.
    """
    imaged = recipe.with_values(setup.values)
    found = [
        *_overlap(setup),
        *_rim(setup),
        *_blur(imaged),
        *_unseen(signal),
        *_drift(imaged, setup, shot, session),
        *_saturation(instrument, setup, shot),
        *_off_row(imaged),
    ]
    return found


def _overlap(setup: Setup):
    if setup.kind == "discs":
        angle, radius = setup.place  # type: ignore[reportGeneralTypeIssues]
        if (between := 1e3 * np.radians(angle)) < 2 * radius:
            yield f"the discs overlap and share noise: centres {between:.0f} mrad apart, radii of {radius:g} mrad"


def _rim(setup: Setup):
    if setup.kind in ("discs", "aperture"):
        detector = setup.detector
        reach = 1e3 * np.radians(detector["pair_angle_deg"]) / 2 + detector["radius_mrad"]
        if reach > setup.convergence_mrad * (1 + 1e-6):
            yield f"the rim of the cone clips the discs: they reach {reach:.1f} of {setup.convergence_mrad:g} mrad"


def _blur(recipe: Recipe):
    microscope = recipe.microscope.balanced
    alpha = 1e-3 * microscope.convergence_mrad
    regions = microscope.detector.regions(recipe.kikuchi_azimuth_rad)
    moved = [microscope.aberrations.shift_nm(region, alpha) for region in regions]
    blur = max(float(np.abs(far - np.abs(mean)).max()) for mean, far in moved)
    if blur > recipe.scan.pixel_nm:
        yield f"aberrations blur by up to {blur:.1f} nm within a view, more than a pixel of {recipe.scan.pixel_nm:g} nm"


def _unseen(signal: Signal):
    if signal.unseen > _UNSEEN:
        yield f"{100 * signal.unseen:.0f} % of the line runs within 10° of the parallax, where depth hardly shows"


def _drift(recipe: Recipe, setup: Setup, shot: Exposure, session: Session):
    moved = session.drift_nm_per_s * shot.time_s
    if moved > recipe.scan.pixel_nm:
        within = "between the first pixel and the last" + (" of two scans" if setup.scans > 1 else "")
        yield f"the specimen drifts by {moved:.3g} nm {within}, more than a pixel of {recipe.scan.pixel_nm:g} nm"


def _saturation(instrument: Instrument, setup: Setup, shot: Exposure):
    if setup.kind == "discs" and instrument.counter is not None:
        counter = instrument.counter
        radius = 0.45 * min(counter.shape)  # pixels: the cone fills nine tenths of the detector
        brightest = shot.current_nA * shot.dwell_us * 1e-6 * ELECTRONS_PER_NC / (np.pi * radius**2)
        most = 2**counter.bits - 1
        if brightest > _FULL * most:
            yield f"a pixel of the counter takes {brightest:.0f} electrons a frame of at most {most}"


def _off_row(recipe: Recipe):
    from veristem.datasets.crystal import load_material
    from veristem.sim.foil import orientation
    from veristem.sim.off_row import off_row_notes

    table = recipe.specimen
    if not isinstance(table, Dislocations):
        return
    yield from off_row_notes(load_material(table.material, table.crystal), orientation(recipe), recipe)
