"""Detectors: one a file, each a recipe table that knows its regions. A new detector is a new file here and no more."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Union

from pydantic import Field

_MODULES = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
DETECTORS = {m.Detector.model_fields["kind"].default: m.Detector for m in _MODULES}
AnyDetector = Annotated[Union[tuple(DETECTORS.values())], Field(discriminator="kind")]  # noqa: UP007
