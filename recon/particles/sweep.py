"""Views of a film shifted so that what lies in one plane comes together: what the network of particles sees.

In the mean over the views shifted for a depth, particles at that depth are sharp; moments of the views along x and y
say to which side they lie. Neither depends on how many views there are, nor on where they look.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

PLANES = 8  # that the network sees at once
STEP_PX = 1.25  # by which the views, in the root mean square, shift against each other from plane to plane
RADIUS_PX = 4.0  # of particles, to which images are enlarged or made smaller
CHANNELS = 3 * PLANES + 1  # mean, moment along x and along y of each plane; then the logarithm of the noise
_MOST = 12.0  # particles one over the other


@dataclass(frozen=True, eq=False)
class Sweep:
    """The views as the network takes them, lengths in its pixels.

    Parameters
    ----------
    views : (V, Y, X) float32
        Share of the background's counts that each pixel lacks, over what the middle of one particle takes.
    step : (V, 2) float
        By how much each view shifts from a plane to the next: a particle h planes below the focus shows at
        (x, y) - h step.
    moment : (V, 2) float
        Weights of the views in the moments.
    noise : float
        Standard deviation of a pixel of the mean over the views.
    zoom : (2,) float
        Its pixels in one of the images, along x and y.
    plane_nm : float
        Distance between planes [nm].
    """

    views: np.ndarray
    step: np.ndarray
    moment: np.ndarray
    noise: float
    zoom: np.ndarray
    plane_nm: float

    def part(self, rows: slice, columns: slice) -> Sweep:
        """A part of the image."""
        return replace(self, views=self.views[:, rows, columns])


def sweep_of(
    counts: np.ndarray, ground: np.ndarray, tangents: np.ndarray, pixel_nm: float, radius_px: float, strength: float
) -> Sweep:
    """The sweep of some images.

    Parameters
    ----------
    counts, ground : (V, Y, X) float
        Electrons counted, and those expected without particles.
    tangents : (V, 2) float
        Of the directions under which particles show; not all the same.
    pixel_nm : float
        Scan step [nm].
    radius_px : float
        Of a particle, in pixels of the images.
    strength : float
        Absorption per pixel of thickness.
    """
    import cv2

    middle = -np.expm1(-2 * radius_px * strength)
    wanted = RADIUS_PX / radius_px
    rows, columns = (max(1, round(n * wanted)) for n in counts.shape[1:])
    how = cv2.INTER_AREA if wanted < 1 else cv2.INTER_CUBIC
    views = [
        cv2.resize((1 - c / g) / np.float32(middle), (columns, rows), interpolation=how) for c, g in zip(counts, ground)
    ]
    zoom = np.array([columns / counts.shape[2], rows / counts.shape[1]])
    apart = tangents - tangents.mean(axis=0)
    spread = float(np.sqrt((apart**2).sum(axis=1).mean()))
    plane = STEP_PX * pixel_nm / wanted / spread
    noise = wanted / middle * np.sqrt(float(np.mean(1 / np.maximum(ground, 1e-3))) / len(counts))
    return Sweep(
        np.clip(np.array(views, np.float32), -_MOST, _MOST),
        tangents * plane / pixel_nm * zoom,
        apart / spread / len(counts),
        float(noise),
        zoom,
        plane,
    )


def stacked(sweep: Sweep, first: float, rows: slice, columns: slice) -> np.ndarray:
    """(CHANNELS, Y, X) float32 for planes ``first`` … ``first`` + PLANES - 1 below the focus, in a window of the image.

    The window may reach beyond the image, where there is background and no noise.
    """
    import cv2

    shape = (rows.stop - rows.start, columns.stop - columns.start)
    found = np.zeros((CHANNELS, *shape), np.float32)
    for plane in range(PLANES):
        for view, step, moment in zip(sweep.views, sweep.step, sweep.moment):
            x, y = np.array([columns.start, rows.start]) - (first + plane) * step
            move = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
            how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            shown = cv2.warpAffine(view, move, shape[::-1], flags=how, borderMode=cv2.BORDER_CONSTANT)
            found[plane] += shown / len(sweep.views)
            found[PLANES + plane] += np.float32(moment[0]) * shown
            found[2 * PLANES + plane] += np.float32(moment[1]) * shown
    found[-1] = np.clip(np.log(max(sweep.noise, 1e-9)), -6, 3)
    return found
