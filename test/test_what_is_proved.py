# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What the proof covers beside control: ports, names, bodies and what can be counted."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from cmc.api import make_context
from cmc.diagnostics import verify_module
from cmc.errors import CmcError
from cmc.files.parsing import parse_file
from cmc.proof.chip import Known, prove
from cmc.simulator import chip_of
from damages import damages
from test_verify_control import CHIP, behaviour, parsed, proof_of, replaced, same, subject

LAYOUT = '#poly.map<"{ [n, c, w] -> [w, c] }"> : tensor<1x1x'
INPUT = f'    cmpipe.input @a_stream "x" @a {LAYOUT}10xf32>\n'
OUTPUT = f'    cmpipe.output "y" @b {LAYOUT}8xf32>\n'
READ = "%v = cmpipe.read @a"
SUM = "%s = cmpipe.reduce add %v : vector<3x1xf32> -> vector<1xf32>"
EARLY = f"%s = arith.addf %t, %t : vector<1xf32>\n{SUM.replace('%s', '%t')}"
DOMAIN = '{ [w] : 0 <= w < 8 }"> {'


def constant(name: str, length: int) -> str:
    return (
        f"cmpipe.object @{name} #nn.weights<splat 0.25 shape [{length}, 1]> : "
        f"memref<{length}xvector<1xf32>>\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # Ports.
        (INPUT, INPUT.replace("[w, c] }", "[0, c] }"), "puts two elements of the tensor in one"),
        (
            INPUT,
            INPUT.replace("1x1x10x", "1x1x5x"),
            "nothing writes @a[5]: @a_stream writes the rest",
        ),
        (INPUT, INPUT.replace("{ [n, c, w]", "{ x[n, c, w]"), "should map tuples without names"),
        (INPUT, "", "there is no stage or input @a_stream here"),
        (OUTPUT, OUTPUT * 2, 'there are 2 outputs "y"'),
        (OUTPUT, OUTPUT + INPUT.replace("@a_stream", "@other"), "no program runs @other"),
        # Names.
        (INPUT, constant("a", 10) + INPUT, "is a constant of a stage, and one without travels"),
        (READ, constant("a", 10) + READ, "@a"),
        (READ, constant("b", 8) + READ, "@b is a constant"),
        # Bodies and accesses.
        ("{ [w, k, c] -> [w + k, c] }", "{ i[w, k, c] -> a[w + k, c] }", "tuples without names"),
        ("{ [w] -> [w] }", "{ i[w] -> b[w] }", "should map tuples without names"),
        (
            SUM,
            f"%s = arith.addf %t, %t : vector<1xf32>\n{SUM.replace('%s', '%t')}",
            "uses %t before",
        ),
        (
            "cmctrl.enable [%i - 2]",
            "cmctrl.enable [%j]\n%j = affine.apply affine_map<(d0) -> (d0 - 2)>(%i)",
            "'cmctrl.enable' op uses %j before it is defined",
        ),
        # What can be counted.
        (DOMAIN, DOMAIN.replace(" {", " latency 1000000000000 {", 2), "from 1 to 2147483647"),
        (DOMAIN, '{ [w] : 0 <= w }"> {', "the domain of a stage is finite and not empty"),
        (
            DOMAIN,
            '{ [[w] -> []] : 0 <= w < 8 }"> {',
            "the domain of a stage holds tuples of numbers",
        ),
        ("count 3", "count 1000000000000", "from 0 to 2147483647, and is 1000000000000"),
    ],
)
def test_the_verifier_refuses(old: str, new: str, message: str):
    with pytest.raises(CmcError) as error:
        parsed(replaced((old, new)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("new", "name"),
    [
        (f"{SUM.replace('%s', '%t')}\n%s = math.cbrt %t : vector<1xf32>", "math.cbrt"),
        (f"%u = arith.constant 3 : index\n{SUM}", "arith.constant"),
    ],
)
def test_what_no_core_can_do_is_refused(new: str, name: str):
    error = proof_of(parsed(replaced((SUM, new))))
    assert error is not None
    assert error.message == f"'{name}' op is no operation of a core's digital unit"


def test_the_proof_itself_looks_for_what_is_not_yet_defined():
    """Modules that were not verified, too, end in an error for people."""
    error = proof_of(parse_file(make_context(), replaced((SUM, EARLY)), "chip.mlir"))
    assert error is not None
    assert "uses a value that nothing before it gives" in str(error)


def test_an_iteration_does_not_read_what_it_writes():
    own = '%z = cmpipe.read @b #poly.map<"{ [w, c] -> [w, c] }"> : vector<1xf32>\n'
    chip = CHIP.replace(READ, own + READ)
    channel = "@b from @sum to @sum"
    ring = f"cmctrl.ring {channel} at 64 slots 2\n"
    machines = f"""
      cmctrl.machine ready {channel} {{
        cmctrl.enable [0]
        affine.for %i = 0 to 7 {{
          cmctrl.await [%i]
          cmctrl.enable [%i + 1]
        }}
      }}
      cmctrl.machine free {channel} {{
        affine.for %i = 1 to 8 {{
          cmctrl.await [%i]
          cmctrl.release [%i - 1]
        }}
        cmctrl.release [7]
      }}
      cmctrl.credits {channel} count 2
"""
    at = "cmctrl.machine ready @a"
    with pytest.raises(CmcError, match="no iteration can read what depends on it"):
        parsed(chip.replace(at, ring + machines + at))


@pytest.mark.parametrize("name", ["pair", "gaps", "columns"])
def test_damage_is_refused_in_one_line_or_leaves_control_as_it_is(name: str):
    module, known = subject(name), Known()
    outputs = sum(1 for op in module.walk() if op.name == "cmpipe.output")
    expected = behaviour(module)
    assert expected is not None
    everything = list(damages(module))
    counts = Counter[str]()
    for damage in Random(name).sample(everything, min(120, len(everything))):
        damaged = damage.of(module)
        try:
            verify_module(damaged)
            prove(chip_of(damaged), known)
        except CmcError as error:
            assert "\n" not in str(error), damage
            counts["refused"] += 1
            continue
        found = behaviour(damaged)
        assert found is not None and same(found[outputs:], expected[outputs:]), damage
        counts["accepted"] += 1
    assert counts["refused"] > 60
    assert counts["accepted"] > 0
