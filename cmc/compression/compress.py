# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A network made smaller: its matrices cut to the ranks that an error, or a chip, allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.external_data_helper import uses_external_data

from cmc.compression.choice import Matrices, Shape, Way, matrices_on
from cmc.compression.matrices import Constants, Found, find_weights
from cmc.compression.rewriting import Pair, rewritten
from cmc.files.onnx_file import tensors_of
from cmc.importer.load import Model
from cmc.importer.schema import node_name
from cmc.targets import Target
from cmc.track import Track, no_track


@dataclass(frozen=True)
class Cut:
    """One matrix of the network that two are in the place of."""

    nodes: Sequence[str]
    """The nodes that have it, by name."""
    shape: tuple[int, int, int]
    """How many there are on a diagonal, the rows and columns of each."""
    kernels: tuple[tuple[int, ...], tuple[int, ...]]
    """Of the two convolutions in the place of one; empty where it is none."""
    rank: int
    error: float
    """Relative: the Frobenius norm of the difference over that of the matrix."""
    before: int
    """What it costs as it was: crossbars, or numbers where there is no target."""
    now: int


@dataclass(frozen=True, eq=False)
class Compressible:
    """A network, and the ways to have its matrices at a lower rank."""

    model: Model
    constants: Constants
    found: Found
    matrices: Sequence[Matrices]
    apart: bool
    """Whether the model has arrays in other files. Here it has them itself."""

    @staticmethod
    def of(model: Model, target: Target | None, track: Track = no_track) -> Compressible:
        """CmcError for weights that are out of reach. Singular values are computed of every matrix
        for which a lower rank could cost less."""
        apart = bring_in(model)
        constants = Constants(model)
        found = find_weights(model, constants)
        matrices = [matrices_on(one, target) for one in track(found.weights, "finding ranks")]
        return Compressible(model, constants, found, matrices, apart)

    def chosen(self, error: float) -> list[tuple[Matrices, Way]]:
        """The matrices that cost less with a relative error of at most `error`, and how."""
        return [(one, way) for one in self.matrices if (way := one.way(error)) is not None]

    def saved(self, error: float) -> int:
        """How much less all matrices cost then."""
        return sum(one.cost - way.cost for one, way in self.chosen(error))

    def cut(self, error: float, track: Track = no_track) -> tuple[onnx.ModelProto, list[Cut]]:
        """The network with these at a lower rank."""
        pairs: list[Pair] = []
        cuts: list[Cut] = []
        for one, way in track(self.chosen(error), "cutting matrices"):
            weights, blocks, shape = one.weights, way.spectrum.blocks, one.weights.array.shape
            left, right = (factor.astype(blocks.dtype) for factor in way.spectrum.factors(way.rank))
            pairs.append((weights, way.form, way.form.split(shape, left, right)))
            cuts.append(
                Cut(
                    [self._name(number) for number in weights.nodes],
                    cast(Shape, blocks.shape),
                    way.form.kernels(shape),
                    way.rank,
                    way.spectrum.error_of(left, right),
                    one.cost,
                    way.cost,
                )
            )
        return rewritten(self.model, self.constants, pairs), cuts

    def sketched(self, error: float) -> onnx.ModelProto:
        """The network with matrices of these ranks that hold ones."""
        pairs: list[Pair] = []
        for one, way in self.chosen(error):
            count, rows, columns = way.spectrum.blocks.shape
            left = np.ones((count, rows, way.rank), np.float32)
            right = np.ones((count, way.rank, columns), np.float32)
            arrays = way.form.split(one.weights.array.shape, left, right)
            pairs.append((one.weights, way.form, arrays))
        return rewritten(self.model, self.constants, pairs)

    def _name(self, number: int) -> str:
        return node_name(self.model.proto.graph.node[number])


def bring_in(model: Model) -> bool:
    """Give a model the arrays that it has in other files; whether there are any."""
    outside = [one for one in tensors_of(model.proto.graph) if uses_external_data(one)]
    for tensor in outside:
        tensor.CopyFrom(numpy_helper.from_array(model.array(tensor), tensor.name))
    return bool(outside)
