# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Parsing of MLIR text, with the file, line and column of every operation kept."""

import re
from bisect import bisect_right
from contextlib import suppress

from xdsl.context import Context
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr, UnknownLoc
from xdsl.ir import Operation
from xdsl.parser import Parser, ParserState
from xdsl.utils.exceptions import ParseError
from xdsl.utils.lexer import Input, Token
from xdsl.utils.mlir_lexer import MLIRLexer, MLIRToken, MLIRTokenKind, StringLiteral

from cmc.errors import CmcError

_NEWLINE = re.compile("\n")


class _Lexer(MLIRLexer):
    # With backtracking, a string that is never closed takes time exponential in its length.
    _unescaped_characters_regex = re.compile(r'"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+"')

    def _lex_string_literal(self, start_pos: int) -> MLIRToken:
        """A string is printed with escapes for what is not ASCII, and is a string nevertheless."""
        token = super()._lex_string_literal(start_pos)
        if token.kind is MLIRTokenKind.BYTES_LIT:
            literal = StringLiteral.from_span(token.span)
            with suppress(UnicodeDecodeError):
                literal.bytes_contents.decode()
                return Token(MLIRTokenKind.STRING_LIT, literal)
        return token


class LocatingParser(Parser):
    """A parser that stamps `file:line:col` on every operation that brings no location itself.

    What an attribute or an operation raises while it is being built is reported at the innermost
    operation that was being parsed.
    """

    def __init__(self, ctx: Context, text: str, name: str, line_offset: int = 0):
        """`line_offset` counts the lines of the file that come before `text`."""
        super().__init__(ctx, "", name)
        self._parser_state = ParserState(_Lexer(Input(text, name)))
        content = self.lexer.input.content
        self._line_starts = [0, *(match.end() for match in _NEWLINE.finditer(content))]
        self._line_offset = line_offset
        self._file = StringAttr(name)

    def parse_module(self, allow_implicit_module: bool = True) -> ModuleOp:
        try:
            return super().parse_module(allow_implicit_module)
        except ParseError as error:
            # A value that is never defined is noticed at the end, and is wrong where it is used.
            if error.span.start == len(self.lexer.input) and self.forward_ssa_references:
                name, values = next(iter(self.forward_ssa_references.items()))
                user = next(iter(next(iter(values.values())).uses)).operation
                self.raise_error(f"%{name} is not defined", self._start_of(user))
            raise

    def parse_operation(self) -> Operation:
        start = self.pos
        try:
            op = super().parse_operation()
        except ParseError:
            raise
        except CmcError as error:
            if error.where is not None:
                raise
            self.raise_error(error.message, start)
        except Exception as error:
            self.raise_error(str(error) or type(error).__name__, start)
        if isinstance(op.location, UnknownLoc):
            line = bisect_right(self._line_starts, start)
            column = start - self._line_starts[line - 1] + 1
            op.location = FileLineColLoc(
                self._file, IntAttr(line + self._line_offset), IntAttr(column)
            )
        return op

    def _start_of(self, op: Operation) -> int:
        match op.location:
            case FileLineColLoc(filename=self._file, line=line, column=column):
                line_start = self._line_starts[line.data - self._line_offset - 1]
                return line_start + column.data - 1
            case _:
                return self.pos


def parse_file(
    ctx: Context, text: str | bytes, name: str, *, line_offset: int = 0, implicit: bool = True
) -> ModuleOp:
    """The module that `text`, read from the file `name`, holds.

    With `implicit`, operations outside a module are wrapped in one. Raises `ParseError`, and
    `CmcError` for what is no text.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise CmcError(f"not UTF-8 text ({error.reason}, byte {error.start})", name) from error
    return LocatingParser(ctx, text, name, line_offset).parse_module(implicit)
