# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""`cmc explore`: try all designs of a space, and show which are best."""

import os
from pathlib import Path

from cmc.errors import CmcError
from cmc.explore.extra import extra
from cmc.explore.results import Results, results_in
from cmc.explore.run import Each, Source, found_of, run
from cmc.explore.space import Space, read_space
from cmc.explore.table import Table
from cmc.explore.workers import Processes, Workers, compiling
from cmc.files.output import beside, check_outputs
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
    assert options.space is not None
    check_outputs((output, options.csv, options.parquet, options.html), [options.space])
    if options.parquet is not None:
        extra("pyarrow.parquet", "--parquet")
    if options.scheduler is not None:
        extra("distributed", "--scheduler")
    if options.jobs is not None and options.scheduler is not None:
        raise CmcError("--jobs is for processes of this machine, not for those of --scheduler")


def _explore(options: Options, space: Space, results: Results) -> None:
    source, total = _source(options, space, results)
    done = len(found_of(source.points, results))
    try:
        if done < total:
            with counting(total, done, "designs") as tried:
                run(source, _workers(options, total - done), results, tried)
    finally:
        # An interrupt leaves what is there to be shown.
        _show(options, Table(found_of(source.points, results), space.varied, space.objectives))


def _source(options: Options, space: Space, results: Results) -> tuple[Source, int]:
    """What is to be tried, and how many designs that makes with those that have a result."""
    if options.search is None:
        each = Each(space, results)
        return each, len(each.points)
    from cmc.explore.search import Search

    return Search(space, results, options.search, options.seed), options.search


def _workers(options: Options, most: int) -> Workers:
    if options.scheduler is None:
        return Processes(min(most, options.jobs or os.cpu_count() or 1), compiling)
    from cmc.explore.cluster import Cluster

    return Cluster(options.scheduler)


def _show(options: Options, table: Table) -> None:
    if options.csv is not None:
        table.write_csv(options.csv)
    if options.parquet is not None:
        table.write_parquet(options.parquet)
    if options.html is not None:
        from cmc.explore.page import write_page

        assert options.space is not None
        write_page(table, options.space.stem, options.html)
    print(table.format())
