# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Errors for people: which operation, where it stands, what is wrong, in one line."""

from xdsl.dialects.builtin import FileLineColLoc, ModuleOp, NameLoc
from xdsl.ir import Block, Operation, OpResult, SSAValue
from xdsl.irdl import IRDLOperation, SingleBlockRegionDef
from xdsl.traits import IsTerminator, NoTerminator
from xdsl.utils.exceptions import ArgSpecParseError, ParseError, VerifyException

from cmc.errors import CmcError


def describe_location(op: Operation) -> str | None:
    """`file:line:col`, or the ONNX node that `op` or the nearest operation around it came from."""
    current: Operation | None = op
    while current is not None:
        match current.location:
            case FileLineColLoc(filename=file, line=line, column=column):
                return f"{file.data}:{line.data}:{column.data}"
            case NameLoc(desc=name, location=FileLineColLoc(filename=file)):
                return f"{file.data}: node '{name.data}'"
            case NameLoc(desc=name):
                return f"node '{name.data}'"
            case _:
                current = current.parent_op()
    return None


def onnx_node(op: Operation) -> str | None:
    """The name of the ONNX node that `op` or the nearest operation around it came from."""
    current: Operation | None = op
    while current is not None:
        if isinstance(current.location, NameLoc):
            return current.location.desc.data
        current = current.parent_op()
    return None


def operation_error(op: Operation, message: str) -> CmcError:
    """An error about `op`: names the operation and where it comes from."""
    return CmcError(f"'{op.name}' op {message}", describe_location(op), onnx_node(op))


def verify_module(module: ModuleOp) -> None:
    """Check every operation of `module`; raises a `CmcError` that names the first wrong one.

    The same checks as `module.verify()`, whose error shows the module instead of the operation.
    """
    defined: set[SSAValue] = set()
    for op in module.walk(region_first=True):
        try:
            _verify_operands(op, defined)
            _verify_structure(op)
            op.verify_()
        except VerifyException as error:
            message = _one_line(error).removeprefix(f"'{op.name}' ").removeprefix("op ")
            raise operation_error(op, message) from error


def _verify_operands(op: Operation, defined: set[SSAValue]) -> None:
    """What an operation uses is defined before it; `defined` has all that was, so far."""
    for operand in op.operands:
        if isinstance(operand, OpResult) and operand not in defined:
            name = "a value" if operand.name_hint is None else f"%{operand.name_hint}"
            raise VerifyException(f"uses {name} before it is defined")
    defined.update(op.results)


def _verify_structure(op: Operation) -> None:
    """What concerns an operation's place in its block and its region."""
    if isinstance(op, IRDLOperation):
        expected = op.get_irdl_definition().regions
        for (name, kind), region in zip(expected, op.regions, strict=False):
            if isinstance(kind, SingleBlockRegionDef) and not region.blocks:
                raise VerifyException(f"has an empty {name}: at least one operation goes there")
    for region in op.regions:
        blocks = tuple(region.blocks)
        if len(blocks) == 1 and blocks[0].is_empty and not op.has_trait(NoTerminator):
            raise VerifyException("has an empty block where a terminator is expected")
    block = op.parent
    for successor in op.successors:
        if block is None or successor.parent is not block.parent:
            raise VerifyException("branches to a block of a different region")
        if block.last_op is not op:
            raise VerifyException("with block successors must terminate its block")
    if block is not None and block.last_op is op and not op.has_trait(IsTerminator):
        _verify_end_of_block(block)


def _verify_end_of_block(block: Block) -> None:
    region = block.parent
    parent = block.parent_op()
    if region is None or parent is None:
        return
    if len(region.blocks) > 1 or not parent.has_trait(NoTerminator):
        raise VerifyException(f"ends a block of '{parent.name}' but is not a terminator")


def describe_error(error: BaseException, source: str | None = None) -> str:
    """`where: error: what` in one line; `source` names the input for errors that name no place."""
    match error:
        case ParseError():
            location = error.span.get_location()
            where, message = str(location), error.msg
        case CmcError():
            where, message = error.where or source, error.message
        case ArgSpecParseError():
            where, message = None, str(error)
        case OSError(filename=name):
            where = source if name is None else str(name)
            reason = error.strerror or str(error)
            message = reason[:1].lower() + reason[1:]
        case MemoryError():
            where, message = source, f"out of memory: {error}"
        case RecursionError():
            where, message = source, "nested too deeply"
        case _:
            where, message = source, f"{type(error).__name__}: {error}"
    prefix = "" if where is None else f"{where}: "
    return f"{prefix}error: {_one_line(message)}"


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
