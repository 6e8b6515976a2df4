"""The site: Sphinx with pages in Markdown, tutorials that run, and a reference made of the sources."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("MPLBACKEND", "Agg")

from site_pages import landing, notebooks, pages, reference  # noqa: E402
from site_pages.figures_shown import Shown  # noqa: E402

import veristem  # noqa: E402

project, author = "VeriSTEM", "The VeriSTEM developers"
project_copyright = f"{author}; GPL-3.0-or-later"
release = version = veristem.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "tutorials", "generated/tables", "generated/static", "generated/files"]
nitpicky = True
default_role = "code"  # docstrings name things in single backquotes

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # docstrings tell shapes and units, which annotations do not
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "generated/tutorials",
    "filename_pattern": r"/\d\d_",
    "ignore_pattern": r"/_",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "min_reported_time": 0,
    "show_memory": False,
    "write_computation_times": False,
    "abort_on_example_error": False,  # -W ends the build all the same, after all of them
    "image_scrapers": ("matplotlib", Shown()),
    "capture_repr": (),
    "first_notebook_cell": "%matplotlib inline",
    "reset_modules": ("matplotlib",),
    "download_all_examples": True,
}

html_context = {"default_mode": "auto"}
html_theme = "pydata_sphinx_theme"
html_title = "VeriSTEM"
html_static_path = ["_static", "generated/static"]
html_css_files = ["veristem.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": []}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def _plain(lines: list[str]) -> None:
    """Docstrings write |b| for a magnitude, where Sphinx would look for a substitution."""
    for number, line in enumerate(lines):
        parts = line.split("``")  # every second one is literal
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[number] = "``".join(parts)


def setup(app) -> None:
    """Make what is generated before Sphinx looks for pages."""
    root, made = HERE.parent, HERE / "generated"
    (made / "static").mkdir(parents=True, exist_ok=True)
    pages.write(root, made)
    reference.write(root, made)
    app.connect("autodoc-process-docstring", lambda app, what, name, thing, options, lines: _plain(lines))
    app.connect("builder-inited", lambda app: landing.write(made / "static", made / "tables"))
    app.connect("builder-inited", lambda app: notebooks.check(HERE / "tutorials", made / "tutorials"))
