"""How matrices are cut to the crossbars of a target: what depends on numbers alone, and bodies."""
