"""Why a stream of images takes as long as it does, and what would help."""
