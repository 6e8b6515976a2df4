"""The truth of an acquisition as HDF5 (docs/files.md). Only bench opens it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from veristem.datasets.formats import hdf5
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.shapes import as_array
from veristem.datasets.truth import LineTruth

SCHEMA, VERSION = "veristem-truth", 1


def write_truth(path: str | Path, truth: LineTruth) -> None:
    """Write a truth; the same data give the same bytes.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    network = truth.network
    with hdf5.create(path, SCHEMA, VERSION) as file:
        group = file.create_group("network")
        for name in ("nodes_nm", "segments", "burgers_nm", "pinned", "box_nm", "plane_normals"):
            if (values := getattr(network, name)) is not None:
                hdf5.put(group, name, values)
        for name in ("g_dot_b", "g_dot_bu", "visible"):
            hdf5.put(group, name, getattr(truth, name))
        for name, kind in (("expected", np.float32), ("labels", np.uint8), ("directions_rad", np.float64)):
            hdf5.put(file, name, np.asarray(getattr(truth, name), kind))
        file.attrs["field_nm"] = np.asarray(truth.field_nm, float)
        for name in ("thickness_nm", "focus_nm"):
            file.attrs[name] = float(getattr(truth, name))
        file.create_dataset("recipe_json", data=json.dumps(truth.recipe, sort_keys=True), track_times=False)


def read_truth(path: str | Path) -> LineTruth:
    """Read a truth.

    Raises
    ------
    InputError
        Naming what is missing or wrong in the file.
    """
    with hdf5.opened(path, SCHEMA, VERSION) as reader:
        network = DislocationNetwork(
            *(reader.array(f"network/{name}") for name in ("nodes_nm", "segments", "burgers_nm", "pinned")),
            box_nm=reader.array("network/box_nm", optional=True),
            plane_normals=reader.array("network/plane_normals", optional=True),
        )
        count = (len(network.segments),)
        expected = as_array("expected", reader.array("expected"), (None, None, None), np.float32)
        try:
            recipe = json.loads(reader.text("recipe_json"))
        except ValueError as error:
            raise reader.error(f"recipe_json: {error} found, JSON allowed") from None
        if not isinstance(recipe, dict):
            raise reader.error(f"recipe_json: a {type(recipe).__name__} found, an object allowed")
        width, height = reader.number("field_nm", (2,))
        return LineTruth(
            network=network,
            g_dot_b=as_array("g_dot_b", reader.array("network/g_dot_b"), count),
            g_dot_bu=as_array("g_dot_bu", reader.array("network/g_dot_bu"), count),
            visible=as_array("visible", reader.array("network/visible"), count, bool),
            expected=expected,
            labels=as_array("labels", reader.array("labels"), expected.shape, np.uint8),
            directions_rad=as_array("directions_rad", reader.array("directions_rad"), (len(expected), 2)),
            field_nm=(float(width), float(height)),
            thickness_nm=reader.number("thickness_nm"),
            focus_nm=reader.number("focus_nm"),
            recipe=recipe,
        )
