"""The polyhedral core: everything that the compiler computes with isl, and nothing about networks."""
