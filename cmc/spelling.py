# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What an error says of a name that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches


def hint(name: str, known: Iterable[str], quote: str = "'") -> str:
    """The known name that is like it, in quotes, or all known names."""
    names = list(known)
    close = get_close_matches(name, names, 1)
    return f"did you mean {quote}{close[0]}{quote}?" if close else f"there is {', '.join(names)}"
