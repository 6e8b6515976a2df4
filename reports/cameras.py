"""Where a 3D scene is seen from, and where its points then lie on the picture."""

from __future__ import annotations

from typing import Literal

import numpy as np

from veristem.reports import axes

Camera = Literal["tilted", "beam", "edge"]
# direction from the scene to the eye, and what is up
CAMERAS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "tilted": ((-0.45, 1.0, -0.62), (0, 0, -1)),
    "beam": ((0, 0, -1), (0, -1, 0)),
    "edge": ((-1, 0, 0), (0, 0, -1)),
}


def aim(plotter, camera: Camera, foil_nm: np.ndarray | None) -> None:
    """Turn a plotter to one of the named cameras, all in sight; the two straight ones without perspective.

    What reaches farther out of the foil (2, 3) [nm] than 1.5 times its size, as a wild vertex, is not followed.
    """
    direction, up = CAMERAS[camera]
    plotter.camera.view_angle = 30.0
    plotter.camera.parallel_projection = camera != "tilted"
    plotter.view_vector(direction, viewup=up, render=False)
    low, high = np.reshape(plotter.bounds, (3, 2)).T
    if foil_nm is not None:
        reach = 1.5 * (foil_nm[1] - foil_nm[0])
        low, high = np.maximum(low, foil_nm[0] - reach), np.minimum(high, foil_nm[1] + reach)
    to_fit = axes.corners(low, high)
    for _ in range(5):  # with perspective, to move is to zoom a little
        at = project(plotter, to_fit) / plotter.window_size * 2 - 1
        middle, half = (at.max(axis=0) + at.min(axis=0)) / 2, max(np.ptp(at, axis=0).max() / 2, 1e-6)
        _pan(plotter, middle)
        plotter.camera.zoom(0.94 / half)
    plotter.reset_camera_clipping_range()


def _pan(plotter, middle) -> None:
    """Move a camera so that a place of the picture (2,), from -1 to 1 with y down, comes into its middle."""
    camera, (wide, high) = plotter.camera, plotter.window_size
    forward = np.subtract(camera.focal_point, camera.position)
    distance = float(np.linalg.norm(forward))
    right = np.cross(forward, camera.up) / distance
    right /= np.linalg.norm(right)
    up = np.cross(right, forward) / distance
    half = camera.parallel_scale if camera.parallel_projection else distance * np.tan(np.radians(camera.view_angle / 2))
    move = half * (middle[0] * wide / high * right - middle[1] * up)
    camera.position, camera.focal_point = camera.position + move, camera.focal_point + move


def project(plotter, points_nm: np.ndarray) -> np.ndarray:
    """Points (K, 3) on the picture (K, 2) [pixels], y down."""
    wide, high = plotter.window_size
    matrix = plotter.camera.GetCompositeProjectionTransformMatrix(wide / high, -1, 1)
    rows = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in (0, 1, 3)])
    x, y, w = rows @ np.column_stack([points_nm, np.ones(len(points_nm))]).T
    return np.column_stack([(1 + x / w) * wide / 2, (1 - y / w) * high / 2])
