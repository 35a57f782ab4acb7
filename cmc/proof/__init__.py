"""The proof that a chip's control is sound, tight and live, from the chip alone.

It reads the loops of programs and machines as relations, and holds them against what the bodies
read and write. It shares no code with what derives control and generates loops, but for asking isl
for first and last points.

- *Sound*: no iteration begins before everything that it reads was written, and no slot is filled
  again before its last read.
- *Tight*: nothing waits for a signal that it does not need.
- *Live*: every iteration of every image begins in the end.
"""
