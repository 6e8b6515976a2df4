"""What there is by name."""

from __future__ import annotations

from typing import Annotated

import typer

from veristem.datasets.errors import InputError


def list_(
    kind: Annotated[
        str, typer.Argument(help="recipes, studies, methods, metrics, materials, microscopes, detectors or specimens")
    ],
) -> None:
    """List what there is by name.

    Metrics with their unit, which way is better, what they score, and their values at a perfect reconstruction and at
    one of little use.
    """
    for line in listing(kind):
        typer.echo(line)


def listing(kind: str) -> list[str]:
    """Lines that name all of a kind.

    Raises
    ------
    InputError
        For an unknown kind.
    """
    if kind in ("recipes", "studies"):
        from veristem.datasets.recipe import recipe_names

        return recipe_names("recipe" if kind == "recipes" else "study")
    if kind == "methods":
        from veristem.recon.methods import method_names

        return method_names()
    if kind == "metrics":
        from veristem.bench.metrics import metrics

        told = [(m, f"{m.name:33s} {m.unit or '-':4s} {m.better:7s} {'+'.join(m.of):19s}") for m in metrics()]
        return [f"{start} {f'{m.good:g} to {m.bad:g}':8s} {m.meaning}" for m, start in told]
    if kind == "materials":
        from veristem.datasets.crystal import material_names

        return material_names()
    if kind == "microscopes":
        from veristem.datasets.instruments import instrument_names, load_instrument

        return [f"{name:14s} {load_instrument(name).title}" for name in instrument_names()]
    if kind == "detectors":
        from veristem.datasets.detectors import DETECTORS

        return sorted(DETECTORS)
    if kind == "specimens":
        from veristem.sim.dispersions import GENERATORS as DISPERSIONS
        from veristem.sim.networks import GENERATORS as NETWORKS

        return [*(f"dislocations {name}" for name in NETWORKS), *(f"particles {name}" for name in DISPERSIONS)]
    allowed = "recipes, studies, methods, metrics, materials, microscopes, detectors, specimens"
    raise InputError(f"list: {kind!r} found, allowed are {allowed}")
