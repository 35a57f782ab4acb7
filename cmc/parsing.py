"""Parsing of MLIR text, with the file, line and column of every operation kept."""

import re
from bisect import bisect_right

from xdsl.context import Context
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr, UnknownLoc
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import VerifyException

from cmc.errors import CmcError

_NEWLINE = re.compile("\n")


class LocatingParser(Parser):
    """A parser that stamps `file:line:col` on every operation that brings no location itself.

    What an attribute or an operation raises while it is being built is reported at the innermost
    operation that was being parsed.
    """

    def __init__(self, ctx: Context, text: str | bytes, name: str, line_offset: int = 0):
        """`line_offset` counts the lines of the file that come before `text`."""
        super().__init__(ctx, text, name)
        content = self.lexer.input.content
        self._line_starts = [0, *(match.end() for match in _NEWLINE.finditer(content))]
        self._line_offset = line_offset
        self._file = StringAttr(name)

    def parse_operation(self) -> Operation:
        start = self.pos
        try:
            op = super().parse_operation()
        except VerifyException as error:
            self.raise_error(str(error), start)
        except CmcError as error:
            if error.where is not None:
                raise
            self.raise_error(error.message, start)
        if isinstance(op.location, UnknownLoc):
            line = bisect_right(self._line_starts, start)
            column = start - self._line_starts[line - 1] + 1
            op.location = FileLineColLoc(
                self._file, IntAttr(line + self._line_offset), IntAttr(column)
            )
        return op


def parse_file(
    ctx: Context, text: str | bytes, name: str, *, line_offset: int = 0, implicit: bool = True
) -> ModuleOp:
    """The module that `text`, read from the file `name`, holds.

    With `implicit`, operations outside a module are wrapped in one. Raises `ParseError`.
    """
    return LocatingParser(ctx, text, name, line_offset).parse_module(implicit)
