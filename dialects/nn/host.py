# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What a module holds of a network that is not on the cores: parts for the host, and all ports."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from xdsl.dialects.builtin import ArrayAttr, DictionaryAttr, StringAttr, SymbolNameConstraint
from xdsl.ir import Attribute
from xdsl.irdl import (
    IRDLOperation,
    irdl_op_definition,
    opt_prop_def,
    prop_def,
    traits_def,
)
from xdsl.traits import SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from cmc.dialects.nn.weights import WeightsAttr
from cmc.errors import CmcError
from cmc.files.weights import Weights

if TYPE_CHECKING:
    from onnx import ModelProto

Names = ArrayAttr[StringAttr]


class HostNode(NamedTuple):
    """A node of the network, and why it is on the host."""

    operator: str
    node: str
    reason: str


@irdl_op_definition
class InterfaceOp(IRDLOperation):
    """The inputs and outputs of a network in their order, where the host computes some of it.

    Example:

    ```mlir
    nn.interface ["image"] -> ["boxes", "classes"]
    ```
    """

    name = "nn.interface"
    inputs = prop_def(Names)
    outputs = prop_def(Names)
    assembly_format = "$inputs `->` $outputs attr-dict"

    def __init__(self, inputs: Iterable[str], outputs: Iterable[str]):
        super().__init__(properties={"inputs": _names(inputs), "outputs": _names(outputs)})


@irdl_op_definition
class HostOp(IRDLOperation):
    """A part of a network that the host computes, as an ONNX model in base64.

    It reads inputs of the network, outputs of the cores, and what parts before it write; by name.
    Larger arrays of the model are its `weights`, in the order of those that have no data in it.

    Example:

    ```mlir
    nn.host @host reads ["scores"] writes ["places"]
      because [{node = "n", operator = "NonZero", reason = "…"}] model "CAhC…"
    ```
    """

    name = "nn.host"
    sym_name = prop_def(SymbolNameConstraint())
    reads = prop_def(Names)
    writes = prop_def(Names)
    because = prop_def(ArrayAttr[DictionaryAttr])
    model = prop_def(StringAttr)
    weights = opt_prop_def(ArrayAttr[WeightsAttr])
    traits = traits_def(SymbolOpInterface())
    assembly_format = (
        "$sym_name `reads` $reads `writes` $writes `because` $because `model` $model "
        "(`weights` $weights^)? attr-dict"
    )

    def __init__(self, name: str, model: "ModelProto", nodes: Sequence[HostNode]):
        from cmc.host.packing import pack

        text, weights = pack(model)
        properties: dict[str, Attribute] = {
            "sym_name": StringAttr(name),
            "reads": _names(info.name for info in model.graph.input),
            "writes": _names(info.name for info in model.graph.output),
            "because": ArrayAttr(
                DictionaryAttr({key: StringAttr(text) for key, text in node._asdict().items()})
                for node in nodes
            ),
            "model": StringAttr(text),
        }
        if weights:
            properties["weights"] = ArrayAttr(map(WeightsAttr, weights))
        super().__init__(properties=properties)

    @property
    def inputs(self) -> list[str]:
        return [name.data for name in self.reads]

    @property
    def outputs(self) -> list[str]:
        return [name.data for name in self.writes]

    @property
    def nodes(self) -> list[HostNode]:
        """Which nodes of the network it has, and why."""
        return [HostNode(*(_text(node, key) for key in HostNode._fields)) for node in self.because]

    @property
    def arrays(self) -> list[Weights]:
        return [one.data for one in self.weights or ()]

    def bare(self) -> "ModelProto":
        """The model without its larger arrays."""
        from cmc.host.packing import read

        return read(self.model.data)

    def proto(self) -> "ModelProto":
        """The model with its arrays. CmcError if they are out of reach."""
        from cmc.host.packing import unpack

        return unpack(self.model.data, self.arrays)

    def verify_(self) -> None:
        from cmc.host.packing import check

        for node in self.because:
            if not all(isinstance(node.data.get(key), StringAttr) for key in HostNode._fields):
                raise VerifyException(f"must give each node {', '.join(HostNode._fields)}")
        try:
            check(self.model.data, self.arrays, self.inputs, self.outputs)
        except CmcError as error:
            raise VerifyException(error.message) from None


def _names(names: Iterable[str]) -> Names:
    return ArrayAttr(StringAttr(name) for name in names)


def _text(node: DictionaryAttr, key: str) -> str:
    value = node.data[key]
    assert isinstance(value, StringAttr)
    return value.data
