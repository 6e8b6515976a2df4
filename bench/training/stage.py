"""What differs between the stages that are learned; all else of a training they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from veristem.bench.training.agreement import Agreement
from veristem.datasets.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

Answer = Callable[[np.ndarray], np.ndarray]  # of a network: outputs (O, Y, X) of an image (C, Y, X)


@dataclass(frozen=True)
class Stage:
    """A stage whose network can be trained.

    Parameters
    ----------
    name : str
        Of what is found, and of the weights.
    example : str
        What is simulated to learn from, in one word.
    version : int
        Of what goes into the network and comes out.
    examples, steps : int
        A minute of training, for which two cores of 2024 take one to two.
    seconds : float
        Of one core for an example, about.
    often : int
        Most examples that are checked each time; at the end all that were kept apart are.
    drawn : callable
        Draws what example of a number is made, of (number, seed, recipes); InputError when no such can be.
    make : callable
        The example, of the same arguments; None when there is nothing in it to be found.
    write, read : callable
        To and from a .npz file.
    batch : callable
        Images and targets of (examples, size, generator).
    checked : callable
        Agreement of (example, answer of the network, seed).
    network, loss : callable
        A network to begin with, and its loss of (outputs, target). They import PyTorch.
    image : (int, int or None, int or None)
        Channels, rows and columns of what the network sees; None where there may be as many as one likes.
    size : int
        Of a batch.
    groups : callable
        Of the recipe of an example, the name of its member of each group that scores are told of.
    described : callable
        Lines of the card that say what was drawn, of all recipes.
    spread, mixture : mapping, str
        About a recipe: by what factor each key is spread; without one: what is drawn.
    measure, found, claimed : str
        Words: of the check, of recall and of precision.
    failing : tuple of str
        Lines of the card on where it fails.
    """

    name: str
    example: str
    version: int
    examples: int
    steps: int
    seconds: float
    often: int
    drawn: Callable[[int, int, Sequence[Recipe]], Any]
    make: Callable[[int, int, Sequence[Recipe]], Any]
    write: Callable[[Path, Any], None]
    read: Callable[[Path], Any]
    batch: Callable[[Sequence, int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    checked: Callable[[Any, Answer, int], Agreement]
    network: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    image: tuple[int, int | None, int | None]
    size: int
    groups: Callable[[dict], Mapping[str, str]]
    described: Callable[[Sequence[dict]], Iterable[str]]
    spread: Mapping[str, float]
    mixture: str
    measure: str
    found: str
    claimed: str
    failing: tuple[str, ...]
