"""From ONNX to the `nn` dialect."""

from cmc.importer.graph import import_model

__all__ = ["import_model"]
