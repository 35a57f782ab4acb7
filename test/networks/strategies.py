# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Hypothesis strategies for random networks: structure is drawn, the weights follow from a seed."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy, booleans, builds, integers, sampled_from

from networks.dense import Gemm, MatMul
from networks.joins import Branches, Excitation, Joint, Rejoin, Residual, SecondInput, Tap
from networks.layout import Flatten, Pad, Reshape, Slice, Transpose
from networks.network import Network
from networks.pointwise import (
    Activation,
    BinaryOp,
    Clip,
    Constant,
    Normalization,
    Nothing,
    Softmax,
)
from networks.steps import Step, Steps
from networks.windows import AutoPad, Axis, Conv, GlobalPool, Pool

OPSETS = (17, 13, 22)

Strategies = tuple[SearchStrategy[Step], ...]

_AUTO_PADS: tuple[AutoPad, ...] = ("SAME_UPPER", "SAME_LOWER", "VALID")
_JOINTS: tuple[Joint, ...] = ("Add", "Concat", "Mul", "Sub", "Div")
_BINARY: tuple[BinaryOp, ...] = ("Add", "Sub", "Mul", "Div")

_flag = booleans()
_channels = integers(1, 6)
_axis = integers(0, 2)


def _windows(
    kernel: int = 4, stride: int = 1, dilation: int = 1, pad: int = 0
) -> SearchStrategy[tuple[Axis, Axis]]:
    """What a window does on two axes, each number at most as given."""
    axis = builds(
        Axis,
        kernel=integers(1, kernel),
        stride=integers(1, stride),
        dilation=integers(1, dilation),
        low=integers(0, pad),
        high=integers(0, pad),
    )
    return st.tuples(axis, axis)


_CONVOLUTIONS: Strategies = (
    builds(Conv, channels=_channels, axes=_windows(pad=2), bias=_flag),
    builds(Conv, channels=_channels, axes=_windows(stride=4, dilation=3, pad=1)),
    builds(Conv, channels=_channels, axes=_windows(kernel=2, stride=3, pad=4)),
    builds(Conv, channels=_channels, axes=_windows(stride=3), auto_pad=sampled_from(_AUTO_PADS)),
    builds(Conv, channels=_channels, axes=_windows(pad=2), group=sampled_from((0, 2, 3))),
)

_POOLINGS: Strategies = (
    builds(
        Pool,
        op_type=sampled_from(("MaxPool", "AveragePool")),
        axes=_windows(stride=3, pad=3),
        count_include_pad=_flag,
    ),
    builds(
        Pool,
        op_type=sampled_from(("MaxPool", "AveragePool")),
        axes=_windows(stride=3, pad=3),
        ceil_mode=st.just(True),
        count_include_pad=_flag,
    ),
    builds(
        Pool,
        op_type=sampled_from(("MaxPool", "AveragePool")),
        axes=_windows(stride=3),
        auto_pad=sampled_from(_AUTO_PADS),
        count_include_pad=_flag,
    ),
    builds(Pool, axes=_windows(stride=2, dilation=3, pad=1), ceil_mode=_flag),
    builds(GlobalPool, op_type=sampled_from(("GlobalAveragePool", "GlobalMaxPool"))),
)

_ACTIVATIONS: Strategies = (
    builds(Activation, op_type=sampled_from(("Relu", "LeakyRelu", "Sigmoid", "Tanh"))),
    builds(
        Clip, low=st.none() | sampled_from((0.0, -0.5)), high=st.none() | sampled_from((1.0, 6.0))
    ),
)

_CONSTANTS: Strategies = (
    builds(
        Constant,
        op_type=sampled_from(_BINARY),
        over=sampled_from(("channel", "number", "one", "last", "image")),
        first=_flag,
    ),
)

_LAYOUTS: Strategies = (
    builds(
        Slice,
        axis=_axis,
        start=integers(0, 5),
        count=integers(1, 8),
        step=sampled_from((1, 2, 3, -1, -2)),
    ),
    builds(
        Pad,
        axis=_axis,
        low=integers(-2, 3),
        high=integers(-2, 3),
        value=st.none() | sampled_from((0.0, -0.75)),
    ),
    builds(
        Pad,
        axis=_axis,
        low=integers(0, 3),
        high=integers(0, 3),
        mode=sampled_from(("edge", "reflect")),
    ),
    builds(Transpose, order=st.permutations((0, 1, 2)).map(tuple)),
    builds(Reshape, kind=sampled_from(("unsqueeze", "squeeze", "merge rows", "merge channels"))),
)

_OTHERS: Strategies = (
    st.just(Normalization()),
    builds(Softmax, over=sampled_from(("last", "channel"))),
    builds(Nothing, op_type=sampled_from(("Identity", "Dropout"))),
)

_PORTS: Strategies = (
    st.just(Tap()),
    builds(SecondInput, joint=sampled_from(_JOINTS), axis=_axis, per_channel=_flag),
)

_JOININGS: Strategies = (
    builds(Rejoin, back=integers(0, 5), joint=sampled_from(_JOINTS), axis=_axis),
)

_BLOCKS: Strategies = (
    builds(
        Residual,
        shortcut=sampled_from(("identity", "projection", "slice and pad")),
        stride=integers(1, 2),
        more=integers(0, 2),
        normalized=_flag,
    ),
    builds(Excitation, squeezed=integers(1, 2)),
)

_MATMULS: Strategies = (builds(MatMul, features=integers(1, 8), bias=_flag),)

_GEMM: SearchStrategy[Step] = builds(
    Gemm, features=integers(1, 10), bias=_flag, transposed=_flag, scaled=_flag
)
_FLATTEN: SearchStrategy[Step] = builds(Flatten, op_type=sampled_from(("Flatten", "Reshape")))

_TAILS: SearchStrategy[Steps] = st.one_of(
    st.just(()),
    st.tuples(_FLATTEN),
    st.tuples(_FLATTEN, *_MATMULS),
    st.tuples(_GEMM),
    st.tuples(_GEMM, st.just(Activation()), _GEMM),
    st.tuples(st.just(GlobalPool()), _GEMM, st.just(Softmax())),
    st.tuples(st.just(GlobalPool()), st.just(Reshape("squeeze")), *_MATMULS),
)


def _paths(steps: Strategies, size: int) -> SearchStrategy[Steps]:
    return st.lists(st.one_of(steps), max_size=size).map(tuple)


def _branches(left: SearchStrategy[Steps], right: SearchStrategy[Steps]) -> SearchStrategy[Step]:
    return builds(Branches, left=left, right=right, joint=sampled_from(_JOINTS), axis=_axis)


def _bodies(steps: Strategies) -> SearchStrategy[Steps]:
    """At least one step, among them forks and joins, nested at most once."""
    inner = (*steps, *_JOININGS)
    outer = (*inner, _branches(_paths(inner, 2), _paths(inner, 1)))
    fork = _branches(_paths(outer, 3), _paths(inner, 2))
    return st.lists(st.one_of(*outer, fork, *_PORTS), min_size=1, max_size=8).map(tuple)


def _networks(
    shapes: SearchStrategy[tuple[int, ...]], bodies: SearchStrategy[Steps]
) -> SearchStrategy[Network]:
    return builds(
        Network,
        shape=shapes,
        steps=st.tuples(bodies, _TAILS).map(lambda parts: parts[0] + parts[1]),
        seed=integers(0, 2**16),
        opset=sampled_from(OPSETS),
        open_batch=_flag,
        constant_nodes=_flag,
    )


# What comes first is what a failing network shrinks to.
_SPATIAL: Strategies = (
    *_ACTIVATIONS,
    *_CONVOLUTIONS,
    *_POOLINGS,
    *_BLOCKS,
    *_CONSTANTS,
    *_LAYOUTS,
    *_OTHERS,
)
_TOKENS: Strategies = (*_ACTIVATIONS, *_MATMULS, *_CONSTANTS, *_LAYOUTS, *_OTHERS)

_one = st.just(1)
_extent = integers(1, 12)


def image_networks() -> SearchStrategy[Network]:
    """Networks on images [1, channels, height, width], now and then of a single pixel."""
    shapes = st.one_of(
        st.tuples(_one, _channels, _extent, _extent),
        st.tuples(_one, _channels, integers(5, 12), integers(5, 12)),
        st.tuples(_one, _channels, _one, _one),
    )
    return _networks(shapes, _bodies(_SPATIAL))


def signal_networks() -> SearchStrategy[Network]:
    """Networks on signals [1, channels, length]."""
    return _networks(st.tuples(_one, _channels, _extent), _bodies(_SPATIAL))


def token_networks() -> SearchStrategy[Network]:
    """Networks on tokens [1, tokens, features]."""
    return _networks(st.tuples(_one, integers(1, 6), integers(1, 8)), _bodies(_TOKENS))


def tangled_networks() -> SearchStrategy[Network]:
    """Small images and signals through many forks, joins, and outputs on the way.

    Much of what a stage computes is cut off, so that nothing asks for it.
    """
    steps = (
        *_LAYOUTS,
        *_LAYOUTS,
        *_JOININGS,
        *_JOININGS,
        *_JOININGS,
        *_ACTIVATIONS,
        *_CONVOLUTIONS,
        *_POOLINGS,
        *_PORTS,
    )
    inner = _branches(_paths(steps, 3), _paths(steps, 2))
    outer = _branches(_paths((*steps, inner), 3), _paths((*steps, inner), 2))
    bodies = st.lists(st.one_of(*steps, inner, outer), min_size=2, max_size=6).map(tuple)
    shapes = st.one_of(
        st.tuples(_one, integers(1, 3), integers(1, 9), integers(1, 9)),
        st.tuples(_one, integers(1, 3), integers(1, 12)),
    )
    return builds(Network, shape=shapes, steps=bodies)


def concatenated_networks() -> SearchStrategy[Network]:
    """Small tensors that are concatenated over and over, moved about, and read in every way."""
    concat: SearchStrategy[Joint] = st.just("Concat")
    steps = (
        *_LAYOUTS,
        *_CONVOLUTIONS,
        *_POOLINGS,
        *_ACTIVATIONS,
        builds(Softmax, over=sampled_from(("last", "channel"))),
        builds(Rejoin, back=integers(0, 5), joint=concat, axis=_axis),
        builds(Rejoin, back=integers(0, 5), joint=concat, axis=_axis),
        builds(SecondInput, joint=concat, axis=_axis),
        st.just(Tap()),
    )
    inner = builds(Branches, _paths(steps, 2), _paths(steps, 2), concat, _axis)
    outer = builds(Branches, _paths((*steps, inner), 3), _paths((*steps, inner), 2), concat, _axis)
    bodies = st.lists(st.one_of(*steps, inner, outer), min_size=2, max_size=5).map(tuple)
    shapes = st.one_of(
        st.tuples(_one, integers(1, 3), integers(1, 7), integers(1, 7)),
        st.tuples(_one, integers(1, 4), integers(1, 9)),
    )
    tails = st.one_of(st.just(()), st.tuples(_GEMM))
    steps_of = st.tuples(bodies, tails).map(lambda parts: parts[0] + parts[1])
    return builds(Network, shape=shapes, steps=steps_of)


def networks() -> SearchStrategy[Network]:
    """Networks of all kinds, half of them on images."""
    kinds = (image_networks(), signal_networks(), image_networks(), token_networks())
    return st.one_of(kinds)
