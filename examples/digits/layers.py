# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The layers of a small convolutional network in plain numpy: forward, backward, and as ONNX nodes.

Activations are float32 arrays [images, channels, height, width]. A layer's `backward` takes the
gradient of the loss with respect to what `forward` returned last, fills in `gradients`, and returns
the gradient with respect to what `forward` was given.
"""

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import helper, numpy_helper

Array = npt.NDArray[np.float32]


class OnnxGraph:
    """The nodes and initializers of an ONNX graph that grows from its input to its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, values: Array) -> str:
        """Add an initializer and return its name."""
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def node(
        self, op_type: str, name: str, *inputs: str, **attributes: int | str | list[int]
    ) -> str:
        """Add a node with one output, named as the node, and return that name."""
        node = helper.make_node(op_type, inputs, [name], name)
        node.attribute.extend(helper.make_attribute(key, attributes[key]) for key in attributes)
        self.nodes.append(node)
        return name


class Layer(ABC):
    """A layer without parameters, unless it fills `parameters` and, in `backward`, `gradients`."""

    def __init__(self, name: str):
        self.name = name
        self.parameters: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}

    @abstractmethod
    def forward(self, x: Array, training: bool) -> Array: ...

    @abstractmethod
    def backward(self, grad: Array) -> Array: ...

    @abstractmethod
    def export(self, graph: OnnxGraph, x: str) -> str:
        """Append the layer to `graph`, reading the tensor `x`; return the name of its output."""

    def leaves(self) -> list["Layer"]:
        """The layers inside that hold parameters themselves: this one, unless it is a container."""
        return [self]


def windows(x: Array) -> Array:
    """Every 3x3 window of `x` zero-padded by one: [images, channels, height, width, 3, 3]."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return sliding_window_view(padded, (3, 3), axis=(2, 3))


def convolve(x: Array, weight: Array) -> Array:
    """The 3x3 convolution of `x` with `weight` [filters, channels, 3, 3] that keeps the size."""
    filtered = np.tensordot(windows(x), weight, axes=([1, 4, 5], [1, 2, 3]))
    return filtered.transpose(0, 3, 1, 2)


class Conv3x3(Layer):
    """A 3x3 convolution that keeps the size; without bias, for a batch normalisation follows."""

    def __init__(self, name: str, channels: int, filters: int, rng: np.random.Generator):
        super().__init__(name)
        scale = np.sqrt(2 / (channels * 9))
        weight = rng.normal(0, scale, (filters, channels, 3, 3)).astype(np.float32)
        self.parameters = {"weight": weight}

    def forward(self, x: Array, training: bool) -> Array:
        self.x = x
        return convolve(x, self.parameters["weight"])

    def backward(self, grad: Array) -> Array:
        weight_grad = np.tensordot(grad, windows(self.x), axes=([0, 2, 3], [0, 2, 3]))
        self.gradients = {"weight": weight_grad}
        mirrored = self.parameters["weight"][:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        return convolve(grad, mirrored)

    def export(self, graph: OnnxGraph, x: str) -> str:
        weight = graph.constant(f"{self.name}.weight", self.parameters["weight"])
        return graph.node("Conv", self.name, x, weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


class BatchNorm(Layer):
    """Normalises every channel over images and pixels, by running statistics when not training."""

    EPSILON = 1e-5
    MOMENTUM = 0.9

    def __init__(self, name: str, channels: int):
        super().__init__(name)
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.parameters = {"scale": ones, "bias": zeros}
        self.mean, self.var = zeros.copy(), ones.copy()

    def forward(self, x: Array, training: bool) -> Array:
        mean, var = self.mean, self.var
        if training:
            mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
            for kept, current in ((self.mean, mean), (self.var, var)):
                kept *= self.MOMENTUM
                kept += (1 - self.MOMENTUM) * current
        self.gain: Array = np.reciprocal(np.sqrt(var + np.float32(self.EPSILON)))
        self.normal: Array = (x - per_channel(mean)) * per_channel(self.gain)
        scale, bias = self.parameters["scale"], self.parameters["bias"]
        return self.normal * per_channel(scale) + per_channel(bias)

    def backward(self, grad: Array) -> Array:
        aligned = grad * self.normal
        pixels = (0, 2, 3)
        self.gradients = {"scale": aligned.sum(axis=pixels), "bias": grad.sum(axis=pixels)}
        through_var: Array = self.normal * per_channel(aligned.mean(axis=pixels))
        centred = grad - per_channel(grad.mean(axis=pixels)) - through_var
        return centred * per_channel(self.parameters["scale"] * self.gain)

    def export(self, graph: OnnxGraph, x: str) -> str:
        values = {**self.parameters, "mean": self.mean, "var": self.var}
        constants = [graph.constant(f"{self.name}.{key}", value) for key, value in values.items()]
        return graph.node("BatchNormalization", self.name, x, *constants)


def per_channel(vector: Array) -> Array:
    """A vector with one entry per channel, shaped to broadcast over [channels, height, width]."""
    return vector.reshape(-1, 1, 1)


class Relu(Layer):
    def forward(self, x: Array, training: bool) -> Array:
        self.positive = x > 0
        return np.maximum(x, np.float32(0))

    def backward(self, grad: Array) -> Array:
        return grad * self.positive

    def export(self, graph: OnnxGraph, x: str) -> str:
        return graph.node("Relu", self.name, x)


class MaxPool2x2(Layer):
    """The largest value of every 2x2 square."""

    def forward(self, x: Array, training: bool) -> Array:
        n, c, h, w = x.shape
        squares = x.reshape(n, c, h // 2, 2, w // 2, 2)
        largest = squares.max(axis=(3, 5), keepdims=True)
        chosen = (squares == largest).astype(np.float32)
        self.share = chosen / chosen.sum(axis=(3, 5), keepdims=True)
        return largest[:, :, :, 0, :, 0]

    def backward(self, grad: Array) -> Array:
        n, c, h, w = grad.shape
        return (self.share * grad[:, :, :, None, :, None]).reshape(n, c, 2 * h, 2 * w)

    def export(self, graph: OnnxGraph, x: str) -> str:
        return graph.node("MaxPool", self.name, x, kernel_shape=[2, 2], strides=[2, 2])


class GlobalAveragePool(Layer):
    """The mean of every channel: [images, channels, 1, 1]."""

    def forward(self, x: Array, training: bool) -> Array:
        self.shape = x.shape
        return x.mean(axis=(2, 3), keepdims=True)

    def backward(self, grad: Array) -> Array:
        pixels = self.shape[2] * self.shape[3]
        return np.broadcast_to(grad / np.float32(pixels), self.shape)

    def export(self, graph: OnnxGraph, x: str) -> str:
        return graph.node("GlobalAveragePool", self.name, x)


class Dense(Layer):
    """Flattens every image and maps it linearly to `outputs` numbers: [images, outputs]."""

    def __init__(self, name: str, inputs: int, outputs: int, rng: np.random.Generator):
        super().__init__(name)
        weight = rng.normal(0, np.sqrt(1 / inputs), (inputs, outputs)).astype(np.float32)
        self.parameters = {"weight": weight, "bias": np.zeros(outputs, np.float32)}

    def forward(self, x: Array, training: bool) -> Array:
        self.shape = x.shape
        self.flat = x.reshape(len(x), -1)
        return self.flat @ self.parameters["weight"] + self.parameters["bias"]

    def backward(self, grad: Array) -> Array:
        self.gradients = {"weight": self.flat.T @ grad, "bias": grad.sum(axis=0)}
        return (grad @ self.parameters["weight"].T).reshape(self.shape)

    def export(self, graph: OnnxGraph, x: str) -> str:
        flat = graph.node("Flatten", f"{self.name}.flatten", x)
        weight = graph.constant(f"{self.name}.weight", self.parameters["weight"])
        bias = graph.constant(f"{self.name}.bias", self.parameters["bias"])
        return graph.node("Gemm", self.name, flat, weight, bias)


class Chain(Layer):
    """Layers one after the other."""

    def __init__(self, *layers: Layer):
        super().__init__("chain")
        self.layers = layers

    def forward(self, x: Array, training: bool) -> Array:
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, grad: Array) -> Array:
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    def export(self, graph: OnnxGraph, x: str) -> str:
        for layer in self.layers:
            x = layer.export(graph, x)
        return x

    def leaves(self) -> list[Layer]:
        return [leaf for layer in self.layers for leaf in layer.leaves()]


class Residual(Layer):
    """What goes in is added to what `body` makes of it."""

    def __init__(self, name: str, body: Layer):
        super().__init__(name)
        self.body = body

    def forward(self, x: Array, training: bool) -> Array:
        return x + self.body.forward(x, training)

    def backward(self, grad: Array) -> Array:
        return grad + self.body.backward(grad)

    def export(self, graph: OnnxGraph, x: str) -> str:
        return graph.node("Add", self.name, self.body.export(graph, x), x)

    def leaves(self) -> list[Layer]:
        return self.body.leaves()
