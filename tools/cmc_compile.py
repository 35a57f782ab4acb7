"""`cmc compile`: from an ONNX network to a configured chip."""

import cmc
from cmc.compiler.standard import AUTO
from cmc.files.output import check_output
from cmc.targets import IDEAL
from cmc.tools.options import Options
from cmc.tools.progress_bar import track


def compile_network(options: Options) -> None:
    """Carry the command out; raises `CmcError` for what cannot be compiled."""
    assert options.output is not None
    check_output(options.output, [options.model])
    make_program(options).save(options.output)


def make_program(options: Options) -> cmc.Program:
    """The network that the command line names, compiled as it says."""
    return cmc.compile(
        options.model,
        shapes=dict(options.shape),
        buffers=options.buffers or "throughput",
        target=IDEAL.name if options.target is None else options.target,
        copies=options.copies or AUTO,
        track=track,
    )
