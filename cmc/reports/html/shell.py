# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What pages have in common: one file that needs nothing else, with plots in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from bokeh.resources import Resources
from jinja2 import DictLoader, Environment
from markupsafe import Markup


def render(
    markup: str,
    script: str,
    filters: Mapping[str, Callable[..., str]] | None = None,
    **values: object,
) -> str:
    """A page: `markup` fills the blocks of the shell, `script` draws its plots."""
    loader = DictLoader({"shell.html": _file("shell.html")})
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader)
    page.filters |= filters or {}
    return page.from_string(markup).render(
        style=Markup(_file("page.css")),
        library=Markup(_library()),
        script=Markup(script),
        behaviour=Markup(_file("page.js")),
        **values,
    )


def _file(name: str) -> str:
    return files("cmc.reports.html").joinpath(name).read_text("utf-8")


@cache
def _library() -> str:
    """What draws plots in a browser."""
    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
