# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""What stock `xdsl-opt` sees of this package (entry point group `xdsl.universe`).

Only tables are imported here: an error while this module loads would break every `xdsl-opt` of
the environment, and a heavy import would slow it down.
"""

from xdsl.universe import Universe

from cmc.dialects import get_all_dialects
from cmc.passes import get_all_passes

CMC_UNIVERSE = Universe(all_dialects=get_all_dialects(), all_passes=get_all_passes())
