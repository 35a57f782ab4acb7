# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The proof that a chip's control is sound, tight and live, from the chip alone.

It reads the loops of programs and machines as relations, and holds them against what the bodies
read and write. It shares no code with what derives control and generates loops, but for asking isl
for first and last points.

- *Sound*: no iteration begins before everything that it reads was written, and no slot is filled
  again before its last read.
- *Tight*: nothing waits for a signal that it does not need.
- *Live*: every iteration of every image begins in the end.

Beside control it covers what control is about: the loops of programs run the iterations that are
claimed, the writers of an object partition its elements, every element that is read comes into a
ring of its writer and reader, bodies hold what a core can do, rings and constants lie apart,
credits are slots, nothing computes with more bits than a control unit has, and there is no more of
anything than the target has. What the verifier refuses before it is taken for granted: ports that
do not fill their objects, names that hide others, stages that read what depends on them, and counts
that hardware does not have. What bodies compute is not proved.
"""
