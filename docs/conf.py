"""The site: ``python -m sphinx -W -b html docs docs/_build/html`` (extra ``docs``)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from site_pages import api_pages, benchmark_page

import apastats

project = "apastats"
author = "The apastats developers"
release = version = apastats.__version__
extensions = [
    "sphinx.ext.autodoc",
    "myst_parser",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "notebook", "README.md", "gallery/*", "gallery", "Thumbs.db"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

html_theme = "pydata_sphinx_theme"
html_title = "apastats"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"*": []}  # these pages have none below them: an empty column would cut the code
html_theme_options = {
    "navigation_with_keys": True,
    "show_toc_level": 2,
    "header_links_before_dropdown": 3,  # more would break the header of 1280 px in two rows
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# the paper's items run where its published numbers are, which are no part of the project
DATA = Path(os.environ.get("BMD_DIR") or HERE.parents[1] / "shared" / "data")
os.environ["BMD_DIR"] = str(DATA)
sphinx_gallery_conf = {
    "examples_dirs": ["gallery", "../analyses/gallery"],
    "gallery_dirs": ["auto_gallery", "auto_published"],
    "filename_pattern": r"/(item_)?\d\d_" if (DATA / "bmd_model_scores").exists() else r"/\d\d_",
    "ignore_pattern": r"(^|/)(build|published|real_connectome)\.py",
    "within_subsection_order": "FileNameSortKey",  # from the first example on
    "download_all_examples": False,
    "remove_config_comments": True,
    "abort_on_example_error": True,
    "show_memory": False,
    "min_reported_time": 1e9,
    "show_signature": False,
    "write_computation_times": False,
}

api_pages(HERE / "generated")
benchmark_page(HERE.parent / "benchmarks" / "results", HERE / "generated" / "benchmarks.md")
