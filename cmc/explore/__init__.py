"""Many designs: networks, figures of a target and options, each with each, and what came of it."""
