"""Recipes and studies: the only configuration. Unknown keys are rejected; every key carries its unit."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from veristem.datasets.errors import InputError
from veristem.datasets.microscope import Microscope, Scan, Stage
from veristem.datasets.reading import cut, tables_in, validated
from veristem.datasets.specimens import Dislocations, Finite, Positive, Specimen, Table

_LARGEST_SEED = 2**63 - 1  # what tables and files hold
_MOST_STEPS = 10_000  # of an axis: each of its conditions is imaged anew
_MOST_ROWS = 1_000_000  # of a study: days of work, and what one table holds
_DENSEST_PER_M2, LONGEST_NM = 1e16, 1e6  # of lines: those of cold-worked metals, and work of hours in one field
_MOST_TEXT, _LONGEST_LINE = 1 << 18, 1 << 12  # of a file: the parser's work grows as the square of a key's length
_LARGEST_BYTES = 12e9  # of the strain of a foil or the views of a film, the largest array of a simulation


class Recipe(Table):
    """Everything that makes one acquisition."""

    class Head(Table):
        """Name, version and seed."""

        name: str = Field(description="what it is called in results")
        version: Literal[1] = Field(default=1, description="of the keys of recipes")
        seed: Annotated[int, Field(ge=0, le=_LARGEST_SEED)] = Field(default=0, description="of everything random")

    recipe: Head
    specimen: Specimen = Dislocations()
    microscope: Microscope = Microscope()
    scan: Scan = Scan()
    stage: Stage = Stage()

    @model_validator(mode="after")
    def _scan_covers_field(self):
        rows, columns = self.scan.shape
        size = (columns * self.scan.pixel_nm, rows * self.scan.pixel_nm)
        if not np.allclose(size, self.specimen.field_nm, rtol=1e-6):
            raise ValueError(
                f"scan of {size[0]:g} x {size[1]:g} nm found, specimen.field_nm {self.specimen.field_nm[0]:g} x "
                f"{self.specimen.field_nm[1]:g} allowed; set scan.shape and scan.pixel_nm to match"
            )
        regions = getattr(self.specimen, "regions", None)
        if regions is not None and regions.size_nm < self.scan.pixel_nm:
            raise ValueError(
                f"specimen.regions.size_nm = {regions.size_nm:g} found, at least a pixel of {self.scan.pixel_nm:g} nm "
                "allowed"
            )
        network = getattr(self.specimen, "network", None)
        if density := getattr(network, "density_per_m2", None):
            length = 1e-18 * density * size[0] * size[1] * self.specimen.thickness_nm
            if density > _DENSEST_PER_M2 or length > LONGEST_NM:
                raise ValueError(
                    f"specimen.network.density_per_m2 = {density:g} found, {length:.3g} nm of line in this field, "
                    f"{_DENSEST_PER_M2:g} (cold-worked metal) and {LONGEST_NM:g} nm allowed; lower it or the field"
                )
        views = len(self.microscope.detector.regions(0.0)) * len(self.stage.angles_deg)
        what, volumes = "its views", 16 * views  # expected and counted electrons
        if self.specimen.kind == "dislocations":
            what, volumes = "its strain", 12 * self.specimen.thickness_nm / min(2.0, 4 * self.scan.pixel_nm)
        needed = volumes * rows * columns
        if needed > _LARGEST_BYTES:
            raise ValueError(
                f"scan of {rows} x {columns} pixels through {self.specimen.thickness_nm:g} nm found, which takes "
                f"{needed / 1e9:.0f} GB for {what}, {_LARGEST_BYTES / 1e9:.0f} GB allowed; lower scan.shape or "
                "specimen.thickness_nm"
            )
        return self

    def with_values(self, values: dict[str, Any]) -> Recipe:
        """A copy with values set at dotted paths, checked again; an unknown path is an error that names the nearest."""
        table = self.model_dump(mode="json")
        for path, value in values.items():
            if path not in recipe_paths():
                raise InputError(_unknown(path))
            *parents, last = path.split(".")
            level = table
            for key in parents:
                level = level[key] if isinstance(level, dict) and key in level else None
            if not isinstance(level, dict):
                raise InputError(f"{path}: {parents[-1]} is not a table in this recipe, so it has no key {last}")
            level[last] = {"preset": value} if last == "aberrations" and isinstance(value, str) else value
        return Recipe.from_table(table, self.recipe.name)

    @property
    def images_key(self) -> str:
        """What the expected images depend on, up to their dose; acquisitions that share it are cheap together."""
        table = self.model_dump(mode="json")
        del table["recipe"]["name"]
        for key in ("current_nA", "current_noise", "response"):
            del table["microscope"][key]
        table["scan"] = {key: table["scan"][key] for key in ("shape", "pixel_nm")}
        return json.dumps(table, sort_keys=True)

    @property
    def specimen_key(self) -> str:
        """What the specimen depends on: a foil is tilted by the Bragg angle, a film reaches as far as the cone does."""
        is_foil, table = self.specimen.kind == "dislocations", self.specimen.model_dump(mode="json")
        beam = self.microscope.energy_keV if is_foil else self.microscope.convergence_mrad
        return json.dumps([self.recipe.seed, beam, table, self.stage.steepest_deg, self.beyond_nm], sort_keys=True)

    @property
    def beyond_nm(self) -> float:
        """How far beyond the field views reach, through tilts and aberrations [nm].

        0 where that is a twentieth of the field or less: a pair of small tilts shows the same specimen as one without.
        """
        microscope, field = self.microscope.balanced, max(self.specimen.field_nm)
        steep = np.radians(self.stage.steepest_deg)
        reach = (
            field / 2 * (1 / np.cos(steep) - 1) + self.specimen.thickness_nm / 2 * np.tan(steep) + self.stage.shift_nm
        )
        alpha = 1e-3 * microscope.convergence_mrad
        landings = [
            microscope.aberrations.shift_nm(region, alpha)
            for region in microscope.detector.regions(self.kikuchi_azimuth_rad)
        ]
        reach += max(float(np.abs(far - mean).max() if self.scan.registered else far.max()) for mean, far in landings)
        return float(reach) if reach > field / 20 else 0.0

    @property
    def kikuchi_azimuth_rad(self) -> float:
        """Direction in the image along which the excitation error stays the same: perpendicular to g [rad].

        0, along x, for particles, which have none.
        """
        return float(np.radians(getattr(self.specimen, "g_azimuth_deg", 90.0) - 90.0))

    @property
    def tilt_axis_rad(self) -> float:
        """Azimuth in the image of the axis that the stage tilts about: along g, or y for particles [rad]."""
        return self.kikuchi_azimuth_rad + np.pi / 2

    @staticmethod
    def from_table(table: dict, where: str) -> Recipe:
        """A recipe from a parsed table; errors name ``where`` and the key."""
        return validated(Recipe, table, where)


@cache
def recipe_paths() -> tuple[str, ...]:
    """All dotted paths into a recipe, those of every kind of network and detector."""

    def below(model: type[BaseModel], prefix: str) -> Iterator[str]:
        for key, field in model.model_fields.items():
            yield prefix + key
            for table in tables_in(field.annotation):
                yield from below(table, f"{prefix}{key}.")

    return tuple(dict.fromkeys(below(Recipe, "")))


def _unknown(path: str) -> str:
    nearest = "".join(f"; the nearest is {p}" for p in get_close_matches(path[:80], recipe_paths(), n=1))
    return f"{cut(path)}: no such key in a recipe{nearest}; `veristem recipe --schema` lists them"


class Axis(Table):
    """Values from a range."""

    start: Finite = Field(alias="from", description="first value")
    stop: Finite = Field(alias="to", description="last value")
    steps: Annotated[int, Field(ge=2, le=_MOST_STEPS)] = Field(description="number of values")
    scale: Literal["linear", "log"] = Field(default="linear", description="evenly spaced values, or their logarithms")

    @model_validator(mode="after")
    def _log_is_positive(self):
        if self.scale == "log" and not (self.start > 0 and self.stop > 0):
            raise ValueError('positive ends allowed with scale = "log"')
        return self

    def values(self) -> list[float]:
        """The values, ends included."""
        space = np.geomspace if self.scale == "log" else np.linspace
        return [float(v) for v in space(self.start, self.stop, self.steps)]


# a list, or else a range: told apart by what is given, so that an error speaks of that one alone
AxisValues = Annotated[
    Annotated[list[Any], Tag("list")] | Annotated[Axis, Tag("range")],
    Discriminator(lambda given: "list" if isinstance(given, list) else "range"),
]


class Study(Table):
    """Conditions over a recipe: the product of the axes, those of ``zip`` taken together."""

    name: str = Field(description="that of its file")
    recipe: str = Field(description="recipe file or name")
    methods: Annotated[list[str], Field(min_length=1)] = Field(
        default=["stereo-classical"],
        description="name, or name and KEY=VALUE parameters: 'stereo-classical scale_nm=6'",
    )
    metrics: list[str] = Field(default=[], description="further ones from outside, as module:function")
    seeds: Annotated[int, Field(ge=1, le=_MOST_ROWS)] = Field(default=8, description="specimens of each condition")
    first_seed: Annotated[int, Field(ge=0)] | None = Field(default=None, description="that of the recipe if not given")
    specimens: dict[str, dict[str, Any]] = Field(
        default={},
        description="kinds of specimens by name, which becomes recipe.name: values by dotted path into the recipe, and "
        "`seeds` where there are fewer of a kind",
    )
    tolerance_nm: Positive | None = Field(
        default=None,
        description="a point within this distance is matched; 10 nm for lines, a particle's radius, if not given",
    )
    full_limits: bool = Field(
        default=False,
        description="limits of lines where contrast that changes with depth tells as well as parallax: two more "
        "simulations a condition",
    )
    axes: dict[str, AxisValues] = Field(default={}, description="values by dotted path into the recipe")
    zip: list[str] = Field(default=[], description="axes that change together instead of in all combinations")

    @model_validator(mode="after")
    def _axes_are_sound(self):
        rows, zipped = self.seeds * len(self.methods) * max(1, len(self.specimens)), 1
        for path, axis in self.axes.items():
            steps = axis.steps if isinstance(axis, Axis) else len(axis)
            if steps > _MOST_STEPS:
                raise ValueError(f"axes: {path}: {steps} values found, {_MOST_STEPS} allowed; each is imaged anew")
            rows, zipped = (rows, max(zipped, steps)) if path in self.zip else (rows * steps, zipped)
        if (rows := rows * zipped) > _MOST_ROWS:
            raise ValueError(
                f"{rows:.3g} rows of {self.seeds} seeds, {len(self.methods)} methods and all conditions found, "
                f"{_MOST_ROWS} allowed, which take days already; lower seeds or the steps of axes"
            )
        for name, of_kind in self.specimens.items():
            if type(count := of_kind.get("seeds", 1)) is not int or not 1 <= count <= self.seeds:
                raise ValueError(f"specimens: {name}: seeds = {count!r} found, 1 to {self.seeds} allowed (study.seeds)")
            for path in sorted(of_kind.keys() - {"seeds"}):
                if path not in recipe_paths():
                    raise ValueError(f"specimens: {name}: {_unknown(path)}")
                if path.startswith("recipe.") or path in self.axes:
                    raise ValueError(f"specimens: {name}: {path} found, another key that is no axis allowed")
        for path, values in self._values().items():
            if path not in recipe_paths():
                raise ValueError(f"axes: {_unknown(path)}")
            if path in ("recipe.seed", "recipe.name", "recipe.version"):
                raise ValueError(f"axes: {path} found, a key of specimen, microscope or scan allowed")
            if not values or any(value in values[:i] for i, value in enumerate(values)):
                raise ValueError(f"axes: {path}: {values} found, one or more values that differ allowed")
        if unknown := [path for path in self.zip if path not in self.axes]:
            raise ValueError(f"zip: {unknown[0]} found, allowed are the axes {', '.join(self.axes) or '(none)'}")
        if len({len(self._values()[path]) for path in self.zip}) > 1:
            found = ", ".join(f"{len(self._values()[path])} of {path}" for path in self.zip)
            raise ValueError(f"zip: {found} values found, equally many allowed")
        if len(set(self.methods)) < len(self.methods):
            raise ValueError("methods: one of them twice found, each once allowed")
        return self

    def _values(self) -> dict[str, list[Any]]:
        return {path: axis.values() if isinstance(axis, Axis) else axis for path, axis in self.axes.items()}

    @property
    def varied(self) -> set[str]:
        """Dotted paths that its axes and its kinds of specimens set."""
        return {*self.axes, *(path for of_kind in self.specimens.values() for path in of_kind if path != "seeds")}

    def seeds_of(self, conditions: dict[str, Any], first: int) -> range:
        """Seeds of a condition of `cells`; ``first`` is the recipe's."""
        first = first if self.first_seed is None else self.first_seed
        of_kind = self.specimens.get(conditions.get("recipe.name", ""), {})
        return range(first, first + min(self.seeds, of_kind.get("seeds", self.seeds)))

    def changed(self, values: dict[str, Any]) -> Study:
        """A copy with other values of its keys, checked again."""
        return validated(Study, self.model_dump(by_alias=True) | values, self.name)

    @staticmethod
    def from_table(table: dict, where: str) -> Study:
        """A study from a parsed table; errors name ``where`` and the key."""
        return validated(Study, table, where)

    def cells(self) -> list[dict[str, Any]]:
        """One dictionary of dotted paths a condition, specimens and the first axis slowest; zipped axes together."""
        values = self._values()
        cells: list[dict[str, Any]] = [
            {"recipe.name": name} | {path: value for path, value in of_kind.items() if path != "seeds"}
            for name, of_kind in self.specimens.items()
        ] or [{}]
        for path in self.axes:
            if path in self.zip and path != next(p for p in self.axes if p in self.zip):
                continue
            together = [p for p in self.axes if p in self.zip] if path in self.zip else [path]
            steps = [dict(zip(together, step)) for step in zip(*(values[p] for p in together))]
            cells = [{**cell, **step} for cell in cells for step in steps]
        return cells


def recipe_names(kind: Literal["recipe", "study"] = "recipe") -> list[str]:
    """Names of the recipes or studies that ship."""
    folder = resources.files("veristem.datasets").joinpath("recipes")
    texts = {f.name.removesuffix(".toml"): f.read_text(encoding="utf-8") for f in folder.iterdir()}
    return sorted(name for name, text in texts.items() if kind in tomllib.loads(text))


def recipe_text(name_or_path: str, kind: Literal["recipe", "study"] = "recipe") -> str:
    """Text of a named or stored recipe or study.

    Raises
    ------
    InputError
        When it is neither a file nor a known name.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; give a {kind} file or a name") from None
        except UnicodeDecodeError:
            raise InputError(f"{path}: bytes that are not UTF-8 found, a TOML text allowed") from None
    if name_or_path in recipe_names(kind):
        return (
            resources.files("veristem.datasets").joinpath("recipes", f"{name_or_path}.toml").read_text(encoding="utf-8")
        )
    raise InputError(
        f"{name_or_path}: no such {kind}; named ones are {', '.join(recipe_names(kind))}, or give a .toml file"
    )


def _load_table(name_or_path: str, kind: Literal["recipe", "study"]) -> dict:
    text = recipe_text(name_or_path, kind)
    longest = max(map(len, text.splitlines()), default=0)
    if len(text) > _MOST_TEXT or longest > _LONGEST_LINE:
        raise InputError(
            f"{name_or_path}: {len(text)} characters with lines of up to {longest} found, {_MOST_TEXT} and "
            f"{_LONGEST_LINE} allowed; break long lists into lines"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name_or_path}: {error}; TOML allowed") from None
    except (ValueError, RecursionError) as error:
        what = "values nested too deep" if isinstance(error, RecursionError) else "a number of too many digits"
        raise InputError(f"{name_or_path}: {what} found, those of a {kind} allowed") from None


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe by name or from a file.

    Raises
    ------
    InputError
        Naming the file and the key.
    """
    return validated(Recipe, _load_table(name_or_path, "recipe"), name_or_path)


def load_study(name_or_path: str) -> Study:
    """A study by name or from a file, whose recipe may lie beside it.

    Raises
    ------
    InputError
        Naming the file and the key.
    """
    table = _load_table(name_or_path, "study")
    if set(table) != {"study"}:
        raise InputError(f"{name_or_path}: tables {', '.join(sorted(table)) or 'none'} found, only [study] allowed")
    study: Study = validated(Study, table["study"], name_or_path)
    beside = Path(name_or_path).parent / study.recipe
    return study.changed({"recipe": str(beside)}) if beside.suffix == ".toml" and beside.is_file() else study
