# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Libraries that are wanted for some of what there is to do."""

from importlib import import_module
from types import ModuleType

from cmc.errors import CmcError


def extra(name: str, for_what: str) -> ModuleType:
    """A module of such a library; CmcError where it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        message = f"{for_what} needs {package}: pip install 'cmc[explore]', or {package} alone"
        raise CmcError(message) from error
