"""Code from outside: what ``module:function`` names, and what other packages offer by their entry points."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from veristem.datasets.errors import InputError


@cache
def offered(group: str) -> dict[str, str]:
    """``module:function`` by name, of all installed packages that offer something in a group."""
    return {point.name: point.value for point in entry_points(group=group)}


def imported(target: str, what: str) -> Callable[..., Any]:
    """The function that ``module:function`` names; modules of the working directory can be imported.

    Parameters
    ----------
    target : str
        ``module:function``.
    what : str
        What it is, for errors: "method" or "metric".

    Raises
    ------
    InputError
        When it cannot be imported or is no function.
    """
    module, _, name = target.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except AttributeError:
        raise InputError(f"{what} {target}: module {module} has no function {name!r}") from None
    except (Exception, SystemExit) as error:  # a module may fail in any way when it is imported
        raise InputError(f"{what} {target}: {error}; give module:function of a module that can be imported") from None
    if not callable(found):
        raise InputError(f"{what} {target}: {type(found).__name__} found, a function allowed")
    return cast(Callable[..., Any], found)
