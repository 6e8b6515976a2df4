"""The truth of an acquisition as HDF5 (docs/files.md). Only bench opens it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from veristem.datasets.dispersion import ParticleDispersion
from veristem.datasets.errors import InputError
from veristem.datasets.formats import hdf5
from veristem.datasets.formats.base import Format
from veristem.datasets.network import DislocationNetwork
from veristem.datasets.shapes import as_array, check_positive
from veristem.datasets.truth import LineTruth, ParticleTruth, Truth

SCHEMA, VERSION = "veristem-truth", 1

_FAR = 10.0  # times the field, beyond which nothing is imaged
_NETWORK = ("nodes_nm", "segments", "burgers_nm", "pinned", "box_nm", "plane_normals")
_PARTICLES = ("centers_nm", "radii_nm", "box_nm")


def write_truth(path: str | Path, truth: Truth) -> None:
    """Write a truth of lines or of particles; the same data give the same bytes.

    Raises
    ------
    InputError
        When the file cannot be written.
    """
    with hdf5.create(path, SCHEMA, VERSION) as file:
        if isinstance(truth, LineTruth):
            group = file.create_group("network")
            for name in _NETWORK:
                if (values := getattr(truth.network, name)) is not None:
                    hdf5.put(group, name, values)
            for name, values in truth.per_segment().items():
                hdf5.put(group, name, values)
            if truth.steady is not None:
                hdf5.put(file, "steady", np.asarray(truth.steady, np.float32))
            file.attrs["field_nm"] = np.asarray(truth.field_nm, float)
            file.attrs["thickness_nm"] = float(truth.thickness_nm)
        else:
            group = file.create_group("particles")
            for name in _PARTICLES:
                hdf5.put(group, name, getattr(truth.particles, name))
        for name, kind in (("expected", np.float32), ("labels", np.uint8), ("directions_rad", np.float64)):
            hdf5.put(file, name, np.asarray(getattr(truth, name), kind))
        for name in ("contrast_directions_rad", "to_image"):
            if getattr(truth, name) is not None:
                hdf5.put(file, name, np.asarray(getattr(truth, name), float))
        file.attrs["focus_nm"] = float(truth.focus_nm)
        file.create_dataset("recipe_json", data=json.dumps(truth.recipe, sort_keys=True), track_times=False)


def read_truth(path: str | Path) -> Truth:
    """Read a truth: of particles if the file has a group of that name, else of lines.

    Raises
    ------
    InputError
        Naming what is missing or wrong in the file.
    """
    with hdf5.opened(path, SCHEMA, VERSION) as reader:
        if not reader.has("particles"):
            return _lines(reader)
        if reader.has("network"):
            raise reader.error("groups network and particles found, one of them allowed")
        particles = ParticleDispersion(*(reader.array(f"particles/{name}") for name in _PARTICLES))
        _check_within("particles/centers_nm", particles.centers_nm, particles.box_nm)
        _check_within("particles/radii_nm", particles.radii_nm, particles.box_nm)
        return ParticleTruth(particles=particles, **_images(reader))


def _lines(reader: hdf5.Reader) -> LineTruth:
    """The truth of a file with a network."""
    network = DislocationNetwork(
        *(reader.array(f"network/{name}") for name in _NETWORK[:4]),
        box_nm=reader.array("network/box_nm", optional=True),
        plane_normals=reader.array("network/plane_normals", optional=True),
    )
    count = (len(network.segments),)
    width, height = reader.number("field_nm", (2,))
    thickness = reader.number("thickness_nm")
    for name, value in (("field_nm", width), ("field_nm", height), ("thickness_nm", thickness)):
        check_positive(f"attribute {name}", value)
    _check_within("network/nodes_nm", network.nodes_nm, (width, height, thickness))
    short = np.flatnonzero(network.lengths_nm == 0)
    if len(short):
        raise reader.error(
            f"network/segments: row {short[0]} from node {network.segments[short[0], 0]} to itself or to its place"
            " found, two places allowed"
        )
    images = _images(reader)
    steady = reader.array("steady", optional=True)
    return LineTruth(
        network=network,
        g_dot_b=as_array("g_dot_b", reader.array("network/g_dot_b"), count),
        g_dot_bu=as_array("g_dot_bu", reader.array("network/g_dot_bu"), count),
        visible=as_array("visible", reader.array("network/visible"), count, bool),
        field_nm=(float(width), float(height)),
        thickness_nm=thickness,
        steady=None if steady is None else as_array("steady", steady, images["expected"].shape, np.float32),
        **images,
    )


def _check_within(name: str, values_nm: np.ndarray, size_nm) -> None:
    """Raise InputError for what lies so far from the field that no microscope sees it."""
    most = _FAR * float(np.max(size_nm))
    if np.abs(values_nm).max(initial=0) > most:
        raise InputError(
            f"{name}: {np.abs(values_nm).max():g} found, at most {most:g} nm allowed, {_FAR:g} times the largest side"
            " of the field"
        )


def _optional(reader: hdf5.Reader, name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """Numbers of that shape, which older files lack."""
    values = reader.array(name, optional=True)
    return None if values is None else as_array(name, values, shape)


def _images(reader: hdf5.Reader) -> dict:
    """What truths of both kinds hold: the images and how they were made."""
    expected = as_array("expected", reader.array("expected"), (None, None, None), np.float32)
    try:
        recipe = json.loads(reader.text("recipe_json"))
    except (ValueError, RecursionError) as error:
        raise reader.error(f"recipe_json: {error} found, JSON allowed") from None
    if not isinstance(recipe, dict):
        raise reader.error(f"recipe_json: a {type(recipe).__name__} found, an object allowed")
    directions = as_array("directions_rad", reader.array("directions_rad"), (len(expected), 2))
    if np.abs(directions).max(initial=0) >= np.pi / 2:
        raise reader.error(f"directions_rad: {np.abs(directions).max():g} found, less than pi/2 allowed")
    return {
        "expected": expected,
        "labels": as_array("labels", reader.array("labels"), expected.shape, np.uint8),
        "directions_rad": directions,
        "focus_nm": reader.number("focus_nm"),
        "recipe": recipe,
        "contrast_directions_rad": _optional(reader, "contrast_directions_rad", (len(expected), 2)),
        "to_image": _optional(reader, "to_image", (len(expected), 2, 3)),
    }


FORMAT = Format(".h5", (LineTruth, ParticleTruth), (LineTruth, ParticleTruth), read_truth, write_truth)
