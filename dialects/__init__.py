# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The dialects by name. Nothing is imported before a dialect is used."""

from collections.abc import Callable

from xdsl.ir import Dialect


def get_all_dialects() -> dict[str, Callable[[], Dialect]]:
    """Factories of all dialects of this package, by the prefix of their operations."""

    def get_cmctrl() -> Dialect:
        from cmc.dialects.cmctrl import Cmctrl

        return Cmctrl

    def get_cmpipe() -> Dialect:
        from cmc.dialects.cmpipe import Cmpipe

        return Cmpipe

    def get_nn() -> Dialect:
        from cmc.dialects.nn import Nn

        return Nn

    def get_poly() -> Dialect:
        from cmc.dialects.poly import Poly

        return Poly

    return {
        "cmctrl": get_cmctrl,
        "cmpipe": get_cmpipe,
        "nn": get_nn,
        "poly": get_poly,
    }
