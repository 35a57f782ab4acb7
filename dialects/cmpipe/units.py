# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the stages of a core share beside its SRAM: its units, and for how long they are taken."""

from __future__ import annotations

from collections.abc import Mapping
from enum import auto

from xdsl.ir import Data
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.str_enum import StrEnum

from cmc.dialects.cmpipe.objects import expect_count


class Unit(StrEnum):
    """A unit of a core that its stages share. Of these the GCU has the port."""

    DIGITAL = auto()
    """Does the arithmetic."""
    PORT = auto()
    """Issues products to crossbars; in the GCU, sends vectors."""
    MEMORY = auto()
    """Reads and writes the SRAM."""


@irdl_attr_definition
class UnitsAttr(Data[tuple[tuple[Unit, int], ...]]):
    """For how many cycles from its start an iteration has units to itself, each named once.

    ```mlir
    #cmpipe.units<digital = 40, port = 200>
    ```
    """

    name = "cmpipe.units"

    @staticmethod
    def of(cycles: Mapping[Unit, int]) -> UnitsAttr:
        """Units with their cycles, in the order in which units are always written."""
        return UnitsAttr(tuple((unit, cycles[unit]) for unit in Unit if unit in cycles))

    @property
    def cycles(self) -> dict[str, int]:
        """The cycles by the name of the unit."""
        return {str(unit): count for unit, count in self.data}

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> tuple[tuple[Unit, int], ...]:
        found: dict[Unit, int] = {}

        def entry() -> None:
            position = parser.pos
            unit = parser.parse_str_enum(Unit)
            if unit in found:
                parser.raise_error(f"{unit} stands twice", position)
            parser.parse_punctuation("=")
            position = parser.pos
            found[unit] = parser.parse_integer(allow_boolean=False)
            try:
                _expect_cycles(unit, found[unit])
            except VerifyException as error:
                parser.raise_error(str(error), position)

        position = parser.pos
        parser.parse_comma_separated_list(parser.Delimiter.ANGLE, entry)
        if not found:
            parser.raise_error("expected a unit that is occupied", position)
        return cls.of(found).data

    def print_parameter(self, printer: Printer) -> None:
        with printer.in_angle_brackets():
            printer.print_string(", ".join(f"{unit} = {count}" for unit, count in self.data))

    def verify(self) -> None:
        units = [unit for unit, _ in self.data]
        if not units or units != [unit for unit in Unit if unit in units]:
            raise VerifyException("units are named once each, in their order, and at least one is")
        for unit, count in self.data:
            _expect_cycles(unit, count)


def _expect_cycles(unit: Unit, count: int) -> None:
    expect_count(f"the cycles of the {unit} unit", count)
