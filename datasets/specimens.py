"""What is put into the microscope: the specimen tables of a recipe, one a kind of specimen."""

from __future__ import annotations

from typing import Annotated, Literal, Union

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from veristem.datasets.crystal import STRUCTURES, load_material
from veristem.datasets.geometry import rotation_about

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Triple = tuple[Finite, Finite, Finite]


def _not_zero(triple):
    if not any(triple):
        raise ValueError("three numbers that are not all 0 allowed")
    return triple


Direction = Annotated[Triple, AfterValidator(_not_zero)]
Reflection = Annotated[tuple[int, int, int], AfterValidator(_not_zero)]


class Table(BaseModel):
    """A table of a recipe: unknown keys are rejected, and nothing changes after."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _kind_of(key: str, default: str):
    """Which table of a union is meant, by what stands under ``key``, or that it names a file.

    Told apart by what is given, so that an error speaks of that table alone.
    """

    def tell(given) -> str:
        if isinstance(given, dict):
            return "from_file" if "file" in given else str(given.get(key, default))
        return "from_file" if hasattr(given, "file") else getattr(given, key, default)

    return Discriminator(tell)


class Generated(Table):
    """A network made by a generator of sim/networks."""

    generator: str = Field(default="glide", description="a file of sim/networks; `veristem list specimens` names them")
    density_per_m2: Positive = Field(default=2.0e13, description="line length per volume [1/m^2], at most 1e16")
    visible_fraction: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.8, description="share of lines with g.b != 0"
    )
    plane: Reflection | None = Field(default=None, description="(hkl) of the only slip plane; all, if not given")
    burgers: Direction | None = Field(default=None, description="[uvw] of the only Burgers vector; all, if not given")


class FromFile(Table):
    """A foil cut from the network in a file."""

    file: str = Field(description="file of a network, see docs/files.md")
    burgers_magnitude_nm: Annotated[float, Field(ge=0.1, le=1)] | None = Field(
        default=None, description="unit of length of a .data file [nm]"
    )
    place: Literal["densest", "random"] | Triple = Field(
        default="densest",
        description="where the foil is cut: where it holds most line, anywhere by the seed, or its centre in the "
        "file's frame, [x, y, z] in nm",
    )


Network = Annotated[
    Annotated[Generated, Tag("generated")] | Annotated[FromFile, Tag("from_file")], _kind_of("", "generated")
]


class Grains(Table):
    """Lamellae or grains, each turned a little: excitation error, grey level and fringes at the boundaries differ."""

    kind: Literal["lamellae", "grains"] = Field(default="lamellae", description="slabs side by side, or cells")
    size_nm: Positive = Field(default=150.0, description="mean width of a lamella or size of a grain")
    plane: Reflection = Field(default=(1, 1, 1), description="(hkl) of the boundaries of lamellae")
    tilt_spread_deg: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.3, description="standard deviation of the tilts that change the excitation error"
    )
    shift: Triple = Field(
        default=(1 / 6, 1 / 6, 1 / 3), description="of the crystal across boundaries, [uvw]; whole g.R leave no fringes"
    )
    stopped: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="share of lines that end at boundaries; others pass"
    )
    variants: bool = Field(
        default=False, description="c along another cube axis from lamella to lamella (L1_0), so that g.b differs"
    )


class Crystal(Table):
    """What a .cif file does not tell of a crystal."""

    slip: Literal[STRUCTURES] = Field(description="family of the slip systems, in the axes of the file's cell")  # type: ignore[reportInvalidTypeForm]
    elastic_gpa: dict[str, Finite] = Field(
        description="elastic constants that the lattice leaves independent, such as C11, C12, C44 of a cubic one [GPa]"
    )


class Dislocations(Table):
    """Dislocation lines in a crystalline foil."""

    kind: Literal["dislocations"] = "dislocations"
    material: str = Field(default="CoCrFeMnNi", description="see `veristem list materials`; or a .cif file")
    crystal: Crystal | None = Field(default=None, description="of a .cif file: what it does not tell")
    thickness_nm: Positive = Field(default=200.0, description="in the middle of the field")
    wedge_deg: Annotated[float, Field(gt=-45, lt=45)] = Field(
        default=0.0, description="angle between the faces; the foil thickens along x"
    )
    hole_nm: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.0, description="how far the hole of the foil reaches into the field from the left; 0: not at all"
    )
    bend_deg: Annotated[float, Field(ge=-5, le=5)] = Field(
        default=0.0, description="angle by which the foil is bent across the field, along g"
    )
    contamination: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.0, description="relative standard deviation of the smooth grey level of a surface layer"
    )
    field_nm: tuple[Positive, Positive] = Field(default=(512.0, 512.0), description="width, height of what is scanned")
    zone_axis: Direction = Field(default=(1, 1, 0), description="[uvw] along the beam, before tilts")
    g: Reflection = Field(default=(0, 0, 2), description="(hkl) of the reflection that is excited")
    g_azimuth_deg: Finite = Field(default=90.0, description="direction of g in the image, from x towards y")
    tilt_off_bragg_deg: Finite = Field(default=0.14, description="towards positive excitation error")
    tilt_about_g_deg: Annotated[float, Field(ge=-45, le=45)] = Field(
        default=8.0,
        description="turn of the crystal in the foil about g: away from the zone axis, whose other reflections would "
        "take from the row",
    )
    beams: Annotated[int, Field(ge=2, le=9)] | None = Field(
        default=None,
        description="a systematic row of so many about the direct beam, 3 to 9, or two-beam cases, 2, which are twice "
        "as fast and show lines too faint; if not given, a row of 7, of 5 in cones from 20 mrad on for materials that "
        "were measured to need no more",
    )
    diffuse: bool = Field(
        default=True,
        description="count electrons that phonons take from the beams where they land: a smooth background, which "
        "lowers contrast",
    )
    relaxed_faces: bool = Field(default=True, description="both faces free of traction; else an infinite medium")
    network: Network = Generated()
    regions: Grains | None = Field(default=None, description="lamellae or grains; one crystal if not given")

    @property
    def beam_axis(self) -> np.ndarray:
        """[uvw] (3,) float along the beam before the tilt to Bragg: the zone axis after the turn about g."""
        material, zone = load_material(self.material, self.crystal), np.array(self.zone_axis, float)
        turn = rotation_about(material.reciprocal_per_nm(self.g), -np.radians(self.tilt_about_g_deg))
        return turn @ material.direction_nm(zone) @ np.linalg.inv(material.cell_nm)

    def nominal_crystal(self) -> dict:
        """What an acquisition tells of the crystal."""
        return {
            "material": self.material,
            "zone_axis": self.beam_axis,
            "g": np.array(self.g, float),
            "g_azimuth_rad": np.radians(self.g_azimuth_deg),
            "tilt_off_bragg_rad": np.radians(self.tilt_off_bragg_deg),
        }

    @model_validator(mode="after")
    def _foil_is_whole(self):
        thinnest = self.thickness_nm - self.field_nm[0] / 2 * abs(np.tan(np.radians(self.wedge_deg)))
        if thinnest <= 0:
            raise ValueError(
                f"foil of {thinnest:.3g} nm at its thinnest found, more than 0 allowed; raise thickness_nm or lower "
                "wedge_deg"
            )
        if self.hole_nm >= self.field_nm[0]:
            raise ValueError(
                f"hole_nm = {self.hole_nm:g} found, less than the field of {self.field_nm[0]:g} nm allowed"
            )
        return self


class Spheres(Table):
    """Spheres of gold with a ligand shell, in equilibrium: they keep apart and nothing else."""

    generator: Literal["spheres"] = "spheres"
    concentration_mg_per_ml: Positive = Field(default=10.0, description="mass of gold per volume of film")
    diameter_nm: Positive = Field(default=4.5, description="mean diameter of the gold")
    spread: Annotated[float, Field(ge=0, le=0.3)] = Field(
        default=0.0, description="standard deviation of the diameters over their mean (normal, cut at three)"
    )
    shell_nm: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.6, description="thickness of the ligand shell: two surfaces of gold keep twice this apart"
    )


class Attractive(Spheres):
    """Spheres that also attract each other over a short range: a square well beyond contact."""

    generator: Literal["attractive"] = "attractive"
    attraction_kT: Annotated[float, Field(ge=0, le=5)] = Field(default=2.0, description="depth of the well")
    range_nm: Positive = Field(default=1.0, description="width of the well beyond contact")


class Chains(Spheres):
    """Chains of spheres that touch, shell to shell; their lengths are spread evenly."""

    generator: Literal["chains"] = "chains"
    shortest: Annotated[int, Field(ge=1, le=200)] = Field(default=2, description="least number of spheres in a chain")
    longest: Annotated[int, Field(ge=1, le=200)] = Field(default=5, description="largest number")
    bend_deg: Annotated[float, Field(ge=0, le=120)] = Field(default=45.0, description="largest bend from bond to bond")

    @model_validator(mode="after")
    def _shortest_first(self):
        if self.shortest > self.longest:
            raise ValueError(f"longest = {self.longest} found, at least shortest = {self.shortest} allowed")
        return self


class Centres(Table):
    """Particles from a file."""

    file: str = Field(description="file of particles, see docs/files.md")


# by the name of their file in sim/dispersions: every arrangement is one of spheres, with keys of its own besides
ARRANGEMENTS = {table.model_fields["generator"].default: table for table in (Spheres, *Spheres.__subclasses__())}
_TAGGED = [Annotated[table, Tag(name)] for name, table in ARRANGEMENTS.items()]
Dispersion = Annotated[Union[(*_TAGGED, Annotated[Centres, Tag("from_file")])], _kind_of("generator", "spheres")]


class Particles(Table):
    """Gold nanoparticles in vitreous ice, a film with the entrance face at z = 0."""

    kind: Literal["particles"] = "particles"
    thickness_nm: Positive = Field(default=178.0, description="in the middle of the field")
    wedge_deg: Annotated[float, Field(gt=-45, lt=45)] = Field(
        default=0.0, description="angle between the faces; the film thickens along x"
    )
    field_nm: tuple[Positive, Positive] = Field(default=(819.2, 819.2), description="width, height of what is scanned")
    dispersion: Dispersion = Spheres()  # type: ignore[reportInvalidTypeForm]  # made at run time
    rescattering: bool = Field(
        default=True,
        description="count electrons that gold scatters into another direction of the cone where they arrive, a blur "
        "between directions, so that the contrast comes from steeper rays than the mean; else as lower absorption",
    )

    def nominal_crystal(self) -> dict:
        """What an acquisition tells of the crystal: there is none."""
        return {}

    @model_validator(mode="after")
    def _particles_fit(self):
        thinnest = self.thickness_nm - self.field_nm[0] / 2 * abs(np.tan(np.radians(self.wedge_deg)))
        diameter = getattr(self.dispersion, "diameter_nm", 0.0) * (1 + 3 * getattr(self.dispersion, "spread", 0.0))
        if thinnest <= diameter:
            raise ValueError(
                f"film of {thinnest:.3g} nm at its thinnest found, more than a particle of {diameter:.3g} nm allowed; "
                "raise thickness_nm or lower wedge_deg"
            )
        return self


Specimen = Annotated[
    Union[Annotated[Dislocations, Tag("dislocations")], Annotated[Particles, Tag("particles")]],  # noqa: UP007
    _kind_of("kind", "dislocations"),
]
