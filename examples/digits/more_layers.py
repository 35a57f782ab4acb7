# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Layers as other networks have them: any window, strides, groups, shortcuts of other shapes."""

import numpy as np
import numpy.typing as npt
from layers import Array, Layer, OnnxGraph
from numpy.lib.stride_tricks import sliding_window_view
from onnx import numpy_helper

Pads = tuple[int, int]


class Graph(OnnxGraph):
    """A graph that also takes constants of whole numbers, and attributes of any kind."""

    def integers(self, name: str, *values: int) -> str:
        self.initializers.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name


class Conv(Layer):
    """A convolution in `groups`, padded by `low` before and `high` after both spatial axes."""

    def __init__(
        self,
        name: str,
        channels: int,
        filters: int,
        kernel: int,
        rng: np.random.Generator,
        stride: int = 1,
        pads: Pads = (0, 0),
        groups: int = 1,
    ):
        super().__init__(name)
        inner = channels // groups
        scale = np.sqrt(2 / (inner * kernel**2))
        weight = rng.normal(0, scale, (filters, inner, kernel, kernel)).astype(np.float32)
        self.parameters = {"weight": weight}
        self.kernel, self.stride, self.pads, self.groups = kernel, stride, pads, groups

    def forward(self, x: Array, training: bool) -> Array:
        self.shape = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), self.pads, self.pads))
        view = sliding_window_view(padded, (self.kernel, self.kernel), (2, 3))
        view = view[:, :, :: self.stride, :: self.stride]
        n, _, h, w, k, _ = view.shape
        self.windows = view.reshape(n, self.groups, -1, h, w, k, k)
        result = np.einsum("ngchwij,gfcij->ngfhw", self.windows, self._weight(), optimize=True)
        return result.reshape(n, -1, h, w)

    def backward(self, grad: Array) -> Array:
        n, _, h, w = grad.shape
        split = grad.reshape(n, self.groups, -1, h, w)
        weight_grad = np.einsum("ngchwij,ngfhw->gfcij", self.windows, split, optimize=True)
        self.gradients = {"weight": weight_grad.reshape(self.parameters["weight"].shape)}
        extent = self.shape[2] + sum(self.pads)
        padded = np.zeros((*self.shape[:2], extent, extent), np.float32)
        groups = padded.reshape(n, self.groups, -1, extent, extent)
        steps = self.stride
        for i, j in np.ndindex(self.kernel, self.kernel):
            part = np.einsum("ngfhw,gfc->ngchw", split, self._weight()[..., i, j], optimize=True)
            groups[..., i : i + steps * h : steps, j : j + steps * w : steps] += part
        low, size = self.pads[0], self.shape[2]
        return padded[:, :, low : low + size, low : low + size]

    def export(self, graph: OnnxGraph, x: str) -> str:
        weight = graph.constant(f"{self.name}.weight", self.parameters["weight"])
        (low, high), size = self.pads, [self.kernel] * 2
        return graph.node(
            "Conv",
            self.name,
            x,
            weight,
            kernel_shape=size,
            strides=[self.stride] * 2,
            pads=[low, low, high, high],
            group=self.groups,
        )

    def _weight(self) -> Array:
        """The weight as [groups, filters of a group, channels of a group, kernel, kernel]."""
        weight = self.parameters["weight"]
        return weight.reshape(self.groups, -1, *weight.shape[1:])


class SameConv(Conv):
    """A convolution that keeps the size, and leaves it to ONNX to find its pads."""

    def __init__(
        self, name: str, channels: int, filters: int, kernel: int, rng: np.random.Generator
    ):
        low = (kernel - 1) // 2
        super().__init__(name, channels, filters, kernel, rng, pads=(low, kernel - 1 - low))

    def export(self, graph: OnnxGraph, x: str) -> str:
        weight = graph.constant(f"{self.name}.weight", self.parameters["weight"])
        size = [self.kernel] * 2
        return graph.node("Conv", self.name, x, weight, kernel_shape=size, auto_pad="SAME_UPPER")


class Bias(Layer):
    """One number added to every channel."""

    def __init__(self, name: str, channels: int):
        super().__init__(name)
        self.parameters = {"bias": np.zeros((channels, 1, 1), np.float32)}

    def forward(self, x: Array, training: bool) -> Array:
        return x + self.parameters["bias"]

    def backward(self, grad: Array) -> Array:
        self.gradients = {"bias": grad.sum((0, 2, 3))[:, None, None]}
        return grad

    def export(self, graph: OnnxGraph, x: str) -> str:
        return graph.node(
            "Add", self.name, x, graph.constant(f"{self.name}.bias", self.parameters["bias"])
        )


class Relu6(Layer):
    """From 0 to 6."""

    def forward(self, x: Array, training: bool) -> Array:
        self.inside = (x > 0) & (x < 6)
        return np.clip(x, np.float32(0), np.float32(6))

    def backward(self, grad: Array) -> Array:
        return grad * self.inside

    def export(self, graph: OnnxGraph, x: str) -> str:
        bounds = {"low": 0.0, "high": 6.0}
        names = [
            graph.constant(f"{self.name}.{k}", np.array(v, np.float32)) for k, v in bounds.items()
        ]
        return graph.node("Clip", self.name, x, *names)


class HalfSize(Layer):
    """Every second pixel of every second row, with as many channels of zeros on either side."""

    def __init__(self, name: str, channels: int, filters: int):
        super().__init__(name)
        self.channels, self.side = channels, (filters - channels) // 2

    def forward(self, x: Array, training: bool) -> Array:
        self.shape = x.shape
        sides = (self.side, self.side)
        return np.pad(x[:, :, ::2, ::2], ((0, 0), sides, (0, 0), (0, 0)))

    def backward(self, grad: Array) -> Array:
        result = np.zeros(self.shape, np.float32)
        result[:, :, ::2, ::2] = grad[:, self.side : self.side + self.channels]
        return result

    def export(self, graph: OnnxGraph, x: str) -> str:
        assert isinstance(graph, Graph)
        last = np.iinfo(np.int64).max
        bounds = {"starts": (0, 0), "ends": (last, last), "axes": (2, 3), "steps": (2, 2)}
        names = [graph.integers(f"{self.name}.{k}", *values) for k, values in bounds.items()]
        pads = graph.integers(f"{self.name}.pads", 0, self.side, 0, 0, 0, self.side, 0, 0)
        return graph.node(
            "Pad", f"{self.name}.pad", graph.node("Slice", self.name, x, *names), pads
        )


class Same(Layer):
    """What goes in comes out."""

    def forward(self, x: Array, training: bool) -> Array:
        return x

    def backward(self, grad: Array) -> Array:
        return grad

    def export(self, graph: OnnxGraph, x: str) -> str:
        return x


class Sum(Layer):
    """The sum of what two layers make of the same."""

    def __init__(self, name: str, body: Layer, shortcut: Layer):
        super().__init__(name)
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Array, training: bool) -> Array:
        return self.body.forward(x, training) + self.shortcut.forward(x, training)

    def backward(self, grad: Array) -> Array:
        return self.body.backward(grad) + self.shortcut.backward(grad)

    def export(self, graph: OnnxGraph, x: str) -> str:
        return graph.node(
            "Add", self.name, self.body.export(graph, x), self.shortcut.export(graph, x)
        )

    def leaves(self) -> list[Layer]:
        return [*self.body.leaves(), *self.shortcut.leaves()]


class ReshapedDense(Layer):
    """Scores from a matrix that is stored by pixels, and that the network itself reshapes."""

    def __init__(self, name: str, shape: tuple[int, int, int], rng: np.random.Generator):
        super().__init__(name)
        self.shape = shape
        weight = rng.normal(0, np.sqrt(1 / np.prod(shape)), (*shape, 10)).astype(np.float32)
        self.parameters = {"weight": weight, "bias": np.zeros((1, 10), np.float32)}

    def forward(self, x: Array, training: bool) -> Array:
        self.flat = x.reshape(len(x), -1)
        return self.flat @ self._matrix() + self.parameters["bias"]

    def backward(self, grad: Array) -> Array:
        weight_grad = (self.flat.T @ grad).reshape(self.parameters["weight"].shape)
        self.gradients = {"weight": weight_grad, "bias": grad.sum(0, keepdims=True)}
        return (grad @ self._matrix().T).reshape(-1, *self.shape)

    def export(self, graph: OnnxGraph, x: str) -> str:
        assert isinstance(graph, Graph)
        size = int(np.prod(self.shape))
        weight = graph.constant(f"{self.name}.weight", self.parameters["weight"])
        matrix = graph.node(
            "Reshape",
            f"{self.name}.matrix",
            weight,
            graph.integers(f"{self.name}.matrix_shape", size, 10),
        )
        row = graph.node(
            "Reshape", f"{self.name}.row", x, graph.integers(f"{self.name}.row_shape", 1, size)
        )
        bias = graph.constant(f"{self.name}.bias", self.parameters["bias"])
        product = graph.node("MatMul", f"{self.name}.product", row, matrix)
        return graph.node("Add", self.name, product, bias)

    def _matrix(self) -> Array:
        return self.parameters["weight"].reshape(-1, 10)


class MeanScores(Layer):
    """The mean of each channel, pixels first, and probabilities from it by a transposed matrix."""

    def __init__(self, name: str, channels: int, size: int, rng: np.random.Generator):
        super().__init__(name)
        weight = rng.normal(0, np.sqrt(1 / channels), (10, channels)).astype(np.float32)
        self.parameters = {"weight": weight, "bias": np.zeros(10, np.float32)}
        self.size = size

    def forward(self, x: Array, training: bool) -> Array:
        self.shape, self.means = x.shape, x.mean((2, 3))
        return self.means @ self.parameters["weight"].T + self.parameters["bias"]

    def backward(self, grad: Array) -> Array:
        self.gradients = {"weight": grad.T @ self.means, "bias": grad.sum(0)}
        means: npt.NDArray[np.float32] = grad @ self.parameters["weight"] / np.float32(self.size**2)
        return np.broadcast_to(means[:, :, None, None], self.shape)

    def export(self, graph: OnnxGraph, x: str) -> str:
        assert isinstance(graph, Graph)
        size = [self.size] * 2
        x = graph.node(
            "AveragePool", f"{self.name}.average", x, kernel_shape=size, auto_pad="VALID"
        )
        x = graph.node("Transpose", f"{self.name}.pixels", x, perm=[0, 2, 3, 1])
        shape = graph.integers(f"{self.name}.shape", -1, self.parameters["weight"].shape[1])
        x = graph.node("Reshape", f"{self.name}.flat", x, shape)
        weight = graph.constant(f"{self.name}.weight", self.parameters["weight"])
        bias = graph.constant(f"{self.name}.bias", self.parameters["bias"])
        x = graph.node("Gemm", f"{self.name}.scores", x, weight, bias, transB=1)
        return graph.node("Softmax", self.name, x, axis=-1)
