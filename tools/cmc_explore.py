"""`cmc explore`: try all designs of a space, and show which are best."""

import os
from pathlib import Path

from cmc.explore.evaluate import Evaluator
from cmc.explore.extra import extra
from cmc.explore.results import Results, results_in
from cmc.explore.run import Each, found_of, run
from cmc.explore.space import Space, read_space
from cmc.explore.table import Table
from cmc.explore.workers import Processes, Workers
from cmc.files.output import beside, check_output
from cmc.tools.options import Options
from cmc.tools.progress_bar import counting


def explore_designs(options: Options) -> None:
    """Carry the command out; raises `CmcError` for a space, or a file, that is wrong."""
    assert options.space is not None
    output = options.output or beside(options.space, ".jsonl")
    space = read_space(options.space)
    _check_outputs(options, output)
    with results_in(output) as results:
        _explore(options, space, results)


def _check_outputs(options: Options, output: Path) -> None:
    written = [one for one in (output, options.csv, options.parquet) if one is not None]
    assert options.space is not None
    for position, path in enumerate(written):
        check_output(path, [options.space, *written[:position]])
    if options.parquet is not None:
        extra("pyarrow.parquet", "--parquet")


def _explore(options: Options, space: Space, results: Results) -> None:
    source = Each(space, results)
    total = len(source.points)
    done = len(found_of(source.points, results))
    try:
        if done < total:
            with counting(total, done, "designs") as tried:
                run(source, _workers(options, total - done), results, tried)
    finally:
        # An interrupt leaves what is there to be shown.
        _show(options, Table(found_of(source.points, results), space.varied, space.objectives))


def _workers(options: Options, most: int) -> Workers:
    return Processes(min(most, options.jobs or os.cpu_count() or 1), Evaluator)


def _show(options: Options, table: Table) -> None:
    if options.csv is not None:
        table.write_csv(options.csv)
    if options.parquet is not None:
        table.write_parquet(options.parquet)
    print(table.format())
