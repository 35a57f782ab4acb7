# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What goes wrong on a chip whose control is wrong, by name."""

from __future__ import annotations

from cmc.errors import CmcError


class Fault(CmcError):
    """The chip did something that its control should have prevented."""


class MissingElement(Fault):
    """A read found an element that was not written yet."""


class OverwrittenElement(Fault):
    """A read found that an element's slot had been reused."""
