"""What everything costs: `python -m cmc.tools.bench` prints it, beside onnxruntime and numpy."""
