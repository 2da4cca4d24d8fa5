"""The pages' build, `make docs`: the reference is what docstrings and commands say."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

import embcodec
from embcodec.cli import main

project = "embcodec"
copyright = "the embcodec authors"
version = release = embcodec.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
]
nitpicky = True
smartquotes = False  # "int8" is a value
exclude_patterns = ["_drawings"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_typehints = (
    "none"  # signatures that fit a line; types stand with the parameters
)
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False
numpydoc_show_inherited_class_members = False
default_role = "literal"  # docstrings write `name` for an argument

html_theme = "furo"
html_title = "embcodec"
html_static_path = ["_static"]
html_css_files = ["embcodec.css"]
html_show_sphinx = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {"navigation_with_keys": True}


def resolve(
    app: Sphinx, env: Any, node: Any, content: nodes.TextElement
) -> nodes.Node | None:
    """Lead a reference by module (`embcodec.x.y.Name`) to where the public name stands.

    Other names must be real, else the build fails, but have no page: they stay words.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    name = target.rpartition("embcodec.")[2]
    parts = name.split(".")
    for start in range(len(parts)):
        public = ".".join(["embcodec", *parts[start:]])
        objects = env.get_domain("py").objects
        if public in objects:
            place = objects[public]
            words = nodes.literal(
                "", public.removeprefix("embcodec."), classes=content["classes"]
            )
            return make_refnode(
                app.builder, node["refdoc"], place.docname, place.node_id, words, public
            )
    return content if _is_real(target) else None


def escape_bars(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Let `|x|` be a magnitude: reStructuredText would take it for a substitution."""
    in_example = False
    for number, line in enumerate(lines):
        in_example = bool(line.strip()) and (
            in_example or line.lstrip().startswith(">>>")
        )
        if not in_example:
            lines[number] = "``".join(
                part if place % 2 else part.replace("|", "\\|")
                for place, part in enumerate(line.split("``"))
            )


def _is_real(target: str) -> bool:
    module, _, name = target.rpartition(".")
    while module:
        try:
            found: Any = import_module(module)
        except ImportError:
            module, _, first = module.rpartition(".")
            name = f"{first}.{name}"
            continue
        for part in name.split("."):
            found = getattr(found, part, None)
        return found is not None
    return False


def inline_drawings(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Put drawings into the page itself, where they take the colour of its text."""
    if app.builder.format != "html":
        return
    for image in list(tree.findall(nodes.image)):
        if image["uri"].endswith(".svg"):
            svg = (Path(app.srcdir) / image["uri"]).read_text(encoding="utf-8")
            image.replace_self(
                nodes.raw("", f'<div class="drawing">{svg}</div>', format="html")
            )


class Commands(SphinxDirective):
    """Every command of ``embcodec`` with its own ``--help``, a section each."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        top = click.Context(main, info_name="embcodec", **main.context_settings)
        sections = [f"## embcodec\n\n```text\n{main.get_help(top)}\n```\n"]
        for name in main.list_commands(top):
            command: Any = main.get_command(top, name)
            context = click.Context(command, top, name, **command.context_settings)
            text = command.get_help(context)
            sections.append(f"## embcodec {name}\n\n```text\n{text}\n```\n")
        return self.parse_text_to_nodes(
            "\n".join(sections), allow_section_headings=True
        )


class Profiles(SphinxDirective):
    """What the profiles that come with embcodec say, a line each."""

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        lines = [
            f"- `{each.name}`: `{each.base_url}{each.path}`, "
            f"the key in `{each.api_key_variable}`; from {each.source}"
            for each in embcodec.PROFILES.values()
        ]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> None:
    """Register the above."""
    app.add_directive("commands", Commands)
    app.add_directive("profiles", Profiles)
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("missing-reference", resolve)
    app.connect("doctree-resolved", inline_drawings)
