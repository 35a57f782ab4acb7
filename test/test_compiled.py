# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Functions as machine code: somebody may be told that they are compiled, which takes long."""

from cmc.compiled import loose, when_compiling


def test_the_first_compilation_is_told_once():
    told: list[str] = []
    when_compiling(lambda: told.append("now"))

    def next_one(x: float) -> float:
        return x + 1

    def one_before(x: float) -> float:
        return x - 1

    # It is kept nowhere, so that each run compiles it.
    function = loose(next_one)
    assert not told
    assert function(1.5) == 2.5
    assert told == ["now"]
    assert loose(one_before)(1.5) == 0.5
    assert told == ["now"]
