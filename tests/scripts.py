"""Scripts of the checkout, which stand beside their reports and not in the package."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
_LOADED: dict[Path, ModuleType] = {}


def script(path: str) -> ModuleType:
    """A script of the checkout as a module: script("docs/scores/make.py"); one and the same each time.

    Its folder is on the path while it is loaded, as when it is run. It and its neighbours are then taken out of
    `sys.modules`, as another folder may have files of the same names.
    """
    file = ROOT / path
    if file not in _LOADED:
        sys.modules.update({known.stem: module for known, module in _LOADED.items() if known.parent == file.parent})
        sys.path.insert(0, str(file.parent))
        try:
            import_module(file.stem)
        finally:
            sys.path.remove(str(file.parent))
            for name, module in list(sys.modules.items()):
                origin = Path(getattr(module, "__file__", None) or ROOT)
                if origin.parent == file.parent:
                    _LOADED[origin] = sys.modules.pop(name)
    return _LOADED[file]
