# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The page of documentation about the files of targets.

`python -m cmc.targets.page > docs/targets.md` writes it.
"""

from collections.abc import Iterator

from cmc.targets.files import default, describe, explained, presets
from cmc.targets.keys import GROUPS, Key
from cmc.targets.kinds import shown_limit

_HEAD = """\
# Targets

<!-- Written by python -m cmc.targets.page: change the table in cmc/targets/keys.py instead. -->

A chip to compile for is described by a TOML file. `cmc targets` lists those that come with the
package, `cmc targets NAME` prints one as a file to start from, and `--target NAME` or `--target
FILE` compiles for it. `--target NAME:rows=128,columns=128` is that with other figures, and so is a
file that begins with `base = "NAME"` and has no more than these. How a crossbar computes changes
values alone: `pcm-64` and `puma` multiply exactly, `pcm-64-analog` and `puma-analog` as their
sources say that these chips do, in the same time.

A figure is a value, or a value with where it is from; a preset says of what its source does not
tell that it is an assumption:

```toml
lanes = 32
mxv_ns = { value = 133, source = "63.1 TOPS at one phase" }
```

The last part of a key is its unit. Times are in ns in the file and in whole cycles of the clock in
the module, where they are rounded up; rates are in bytes per ns, and in bytes per cycle, to a
millionth, in the module. What links cost is said in [how cmc works](design.md#links-between-cores),
and [what counts for energies](design.md#energy-and-area) as well. In the module a pipeline or a
chip carries its target as an attribute, with what differs from `ideal`:

```mlir
cmpipe.pipeline @main on #cmpipe.target<name = "mine", cores = 64, rows = 256, mxv = 133> { ... }
```

A key that has a default may be left out."""


def page() -> str:
    """The page as text."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for heading, keys in GROUPS.items():
        yield from ("", f"## {heading}", "")
        yield "| key | meaning | allowed | default |"
        yield "| --- | --- | --- | --- |"
        for key in keys:
            yield f"| `{key.name}` | {key.meaning} | {explained(key)} | {_default(key)} |"
    yield from ("", "## Presets", "", "| name | cores | crossbars | MxV | from |")
    yield "| --- | --- | --- | --- | --- |"
    for name in presets():
        description = describe(name)
        target = description.target
        crossbars = (
            f"{target.crossbars} of {shown_limit(target.rows)} x {shown_limit(target.columns)}"
        )
        source = description.figures["cores"].source or "unit times and no limits"
        mxv = f"{target.ns(target.mxv):g} ns"
        yield f"| `{name}` | {shown_limit(target.cores)} | {crossbars} | {mxv} | {source} |"


def _default(key: Key) -> str:
    if key.required:
        return "must be given"
    return f"`{value}`" if (value := default(key)) else "none"


if __name__ == "__main__":
    print(page(), end="")
