# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc accuracy`: how many images get their class, on chips whose crossbars are not exact."""

import json

from cmc.accuracy.advice import advise
from cmc.accuracy.classes import Labels
from cmc.accuracy.images import read_images
from cmc.accuracy.measure import measure
from cmc.accuracy.text import format_accuracy, format_advice
from cmc.accuracy.trials import Inputs
from cmc.explain.help import point_of
from cmc.files.output import replacing_text
from cmc.interface import Interface
from cmc.targets import IDEAL
from cmc.tools.cmc_compile import check_files, chip_options, is_module, open_reading
from cmc.tools.options import Options
from cmc.tools.progress_bar import track


def show_accuracy(options: Options) -> None:
    """Carry the command out; raises `CmcError` for images and labels that do not fit."""
    check_files(options, options.json, options.html)
    of_network = not is_module(options)

    def read(interface: Interface) -> tuple[Inputs, Labels]:
        assert options.labels is not None
        images = options.images
        return read_images(interface, options.input, options.labels, images, options.scores)

    program, (inputs, labels) = open_reading(options, read)
    found = measure(
        program,
        options.model if of_network else None,
        inputs,
        labels,
        options.times,
        options.trials,
        seed=options.seed,
        output=options.scores,
        quick=options.quick,
        track=track,
    )
    print(format_accuracy(found), flush=True)
    advice = None
    if options.advice:
        target = options.target or IDEAL.name
        point = point_of(options.model, target, chip_options(options)) if of_network else None
        advice = advise(program, found, point, track)
    if advice is not None:
        print(f"\n{format_advice(advice, found)}")
    if options.json is not None:
        fields = {
            "model": options.model.name,
            **found.as_json(),
            "advice": None if advice is None else advice.as_json(),
        }
        with replacing_text(options.json) as file:
            file.write(json.dumps(fields, indent=2) + "\n")
    if options.html is not None:
        from cmc.accuracy.html import write_page

        write_page(found, advice, options.model.stem, options.html)
