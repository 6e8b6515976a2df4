"""Particles found, as a table (.csv) with one a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veristem.datasets.formats.base import Format
from veristem.datasets.formats.lines import named
from veristem.datasets.formats.table import Table, write_table
from veristem.datasets.reconstruction import PointSet
from veristem.datasets.shapes import LONGEST_NM

_PLACES = ("x_nm", "y_nm", "z_nm")
_COVARIANCE = {  # columns, with their places in the matrix
    "cov_xx_nm2": (0, 0), "cov_xy_nm2": (0, 1), "cov_xz_nm2": (0, 2),
    "cov_yy_nm2": (1, 1), "cov_yz_nm2": (1, 2), "cov_zz_nm2": (2, 2),
}  # fmt: skip
_OPTIONAL = ("radius_nm", *_COVARIANCE, "views", "ambiguity")
_ROUNDING = 1e-9  # of a covariance's largest value
_MOST_VIEWS = 10**6


def write_points(path: str | Path, points: PointSet) -> None:
    """Write points with all that is known of them, so that they come back exactly; NaN is left empty.

    Raises
    ------
    InputError
        For a file that cannot be written.
    """
    columns = dict(zip(_PLACES, points.points_nm.T)) | {"radius_nm": points.radii_nm}
    columns |= {name: points.covariance_nm2[:, i, j] for name, (i, j) in _COVARIANCE.items()}
    write_table(path, columns | {"views": points.views, "ambiguity": points.ambiguity})


def read_points(path: str | Path) -> PointSet:
    """Points from a table with a header; only x_nm, y_nm and z_nm must be there, other columns are passed over.

    Raises
    ------
    InputError
        For a file that is no such table, naming the line.
    """
    table = Table(path, _PLACES, _OPTIONAL)
    centers = np.column_stack([table.values[name] for name in _PLACES])
    for name in _OPTIONAL:
        table.values.setdefault(name, np.full(len(centers), np.nan))
    radii, views, ambiguity = (table.values[name] for name in ("radius_nm", "views", "ambiguity"))
    covariance = np.empty((len(centers), 3, 3))
    for name, (i, j) in _COVARIANCE.items():
        covariance[:, i, j] = covariance[:, j, i] = table.values[name]
        small = ~(np.abs(table.values[name]) > LONGEST_NM**2)
        table.check(name, small, f"at most {LONGEST_NM**2:g} nm²")
        if i == j:
            table.check(name, ~(table.values[name] < 0), "0 or more")
    table.check("radius_nm", ~((radii <= 0) | (radii > LONGEST_NM)), f"a positive number up to {LONGEST_NM:g}")
    table.check("ambiguity", ~((ambiguity < 0) | (ambiguity > 1)), "a probability from 0 to 1")
    whole = (views >= 0) & (views <= _MOST_VIEWS) & (views % 1 == 0)
    table.check("views", np.isnan(views) | whole, "a whole number of views")
    table.check("cov_xx_nm2", _is_covariance(covariance), "with the other five, a matrix without negative eigenvalues")
    with named(path):
        return PointSet(centers, covariance, radii, np.nan_to_num(views).astype(int), ambiguity)


def _is_covariance(matrices: np.ndarray) -> np.ndarray:
    """(N,) whether no eigenvalue of (N, 3, 3) is negative; True where a matrix is not complete."""
    complete = np.isfinite(matrices).all(axis=(1, 2), keepdims=True)
    known = np.where(complete, matrices, 0.0)
    largest = np.abs(known).max(axis=(1, 2), keepdims=True)
    return np.linalg.eigvalsh(known / np.where(largest > 0, largest, 1.0))[:, 0] >= -_ROUNDING


def _holds(path: Path) -> bool:
    """Whether a table tells more of its particles than a truth does: no radius, or the views that show one."""
    points = read_points(path)
    return not np.isfinite(points.radii_nm).all() or bool(points.views.any())


FORMAT = Format(".csv", (PointSet,), (PointSet,), read_points, write_points, holds=_holds)
