# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Random networks: imported, simplified, printed and parsed, they mean what the model means."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func
from xdsl.parser import Parser

from cmc.dialects.nn import Nn
from cmc.files.weights import Float32Array
from cmc.importer import import_model
from cmc.passes.nn_canonicalize import NnCanonicalizePass
from cmc.passes.nn_fold_batch_norm import NnFoldBatchNormPass
from cmc.semantics.network import evaluate
from conftest import examples
from networks import Network, networks
from networks.evaluate import random_inputs, reference


def assert_close(found: Mapping[str, Float32Array], expected: Mapping[str, Float32Array]):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        tolerance = 1e-5 * max(1.0, float(np.abs(array).max(initial=0)))
        np.testing.assert_allclose(found[name], array, rtol=0, atol=tolerance)


def context() -> Context:
    result = Context()
    for dialect in (Builtin, Func, Nn):
        result.load_dialect(dialect)
    return result


@examples(200)
@given(networks())
def test_random_networks(network: Network):
    inputs = random_inputs(network.model, images=2, seed=0)
    expected = reference(network.model, inputs)
    module = import_model(network.model)
    module.verify()
    assert_close(evaluate(module, inputs), expected)

    parsed = Parser(context(), str(module)).parse_module()
    assert isinstance(parsed, ModuleOp) and parsed.is_structurally_equivalent(module)

    for simplify in (NnCanonicalizePass(), NnFoldBatchNormPass(), NnCanonicalizePass()):
        simplify.apply(context(), module)
        module.verify()
        assert_close(evaluate(module, inputs), expected)
