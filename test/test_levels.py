"""Every level runs, and computes the same."""

from cmc.dialects.nn import Nn
from cmc.semantics.elementwise import ELEMENTWISE
from cmc.semantics.operators import OPERATORS
from cmc.semantics.stages import STAGES
from cmc.semantics.views import VIEWS


def test_every_operator_has_one_entry():
    forms = [*ELEMENTWISE, *STAGES, *VIEWS]
    assert len(forms) == len(set(forms))
    assert OPERATORS.keys() == set(Nn.operations)
