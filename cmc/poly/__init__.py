"""The polyhedral core: all that the compiler computes with isl, and nothing about networks."""
