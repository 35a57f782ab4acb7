# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc explain`: why a stream of images takes as long as it does, and what would help."""

import json
from dataclasses import replace

from cmc.errors import CmcError
from cmc.explain.help import find_help, keys_of, point_of
from cmc.explain.text import format_help, format_why
from cmc.files.output import replacing_text
from cmc.targets import IDEAL
from cmc.tools.cmc_compile import check_files, chip_options, is_module, open_program
from cmc.tools.options import Options
from cmc.tools.progress_bar import track

_SHOWN = 4
"""Images of a page, if nothing is said."""


def explain(options: Options) -> None:
    """Carry the command out; raises `CmcError` for what cannot be compiled."""
    check_files(options, options.json, options.html)
    target = options.target or IDEAL.name
    of_network = not is_module(options)
    known = keys_of(target) if of_network else ["rings"]
    for key in options.only:
        if key not in known:
            raise CmcError(f"there is no step of '{key}'; there is {', '.join(known)}", "--only")
    program = open_program(options)
    report = program.time(options.images or (_SHOWN if options.html is not None else 1))
    print(format_why(report), flush=True)
    point = point_of(options.model, target, chip_options(options)) if of_network else None
    alone = report if report.images == 1 else program.time(1)
    found = find_help(program, alone, point, options.only, track)
    print(f"\n{format_help(found)}")
    if options.json is not None:
        with replacing_text(options.json) as file:
            circuit, path = report.critical, report.critical_path
            why = {
                "circuit": None if circuit is None else circuit.as_json(),
                "path": None if path is None else path.as_json(),
            }
            file.write(json.dumps({**why, "help": found.as_json()}, indent=2) + "\n")
    if options.html is not None:
        title = f"{options.model.stem} on {report.target.name}"
        replace(report, help=found).save_html(options.html, title)
