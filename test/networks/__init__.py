# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Random networks for end-to-end tests of the compiler, and what they should compute.

In a test:

    @given(networks())
    def test_compiles(network: Network):
        inputs = random_inputs(network.model, images=3, seed=0)
        expected = reference(network.model, inputs)

A network that fails is reported as the short expression that makes it; with the modules of this
package imported, that can be pasted into a test of its own.
"""

from networks.evaluate import random_inputs, reference
from networks.network import Network
from networks.strategies import (
    concatenated_networks,
    image_networks,
    networks,
    signal_networks,
    tangled_networks,
    token_networks,
)

__all__ = [
    "Network",
    "concatenated_networks",
    "image_networks",
    "networks",
    "random_inputs",
    "reference",
    "signal_networks",
    "tangled_networks",
    "token_networks",
]
