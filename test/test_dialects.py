# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Every operation says in an example how it is written."""

import pytest
from xdsl.ir import Operation

from cmc.dialects import get_all_dialects

OPERATIONS = [op for make in get_all_dialects().values() for op in make().operations]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.name)
def test_every_operation_is_shown_in_an_example(operation: type[Operation]):
    text, _, example = (operation.__doc__ or "").partition("```mlir")
    assert text.strip()
    assert operation.name in example.partition("```")[0]
