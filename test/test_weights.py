# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Arrays of weights: equal by content, exact as text, checked in files."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.parser import Parser
from xdsl.printer import Printer

from cmc.dialects.nn import Nn, WeightsAttr
from cmc.errors import CmcError
from cmc.files import weights
from cmc.files.weights import ArrayWeights, ElidedWeights, FileWeights, Float32Array
from cmc.files.weights_file import read_array, write_arrays
from conftest import examples


def numbers(*shape: int, seed: int = 0) -> Float32Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def parse(text: str, file: Path | str = "<text>") -> WeightsAttr:
    context = Context()
    for dialect in (Builtin, Nn):
        context.load_dialect(dialect)
    attribute = Parser(context, text, str(file)).parse_attribute()
    assert isinstance(attribute, WeightsAttr)
    return attribute


def save(folder: Path, *attributes: WeightsAttr) -> list[str]:
    """The text of `attributes`, whose large arrays go to `folder`."""
    with weights.printing(weights.ToFile(folder / "model.safetensors")):
        return [str(attribute) for attribute in attributes]


def test_printing_takes_less_memory_than_the_array(tmp_path: Path):
    attribute, path = WeightsAttr.from_array(numbers(1000, 1000)), tmp_path / "attribute.mlir"
    tracemalloc.start()
    with weights.printing(weights.Inline()), path.open("w") as stream:
        Printer(stream).print_attribute(attribute)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 8 * 10**6
    assert peak < 3 * 10**6


# Values


def test_weights_are_float32_and_read_only():
    array = ArrayWeights(numbers(2, 3)).array
    assert not array.flags.writeable
    with pytest.raises(TypeError, match="weights are float32, not float64"):
        ArrayWeights(np.zeros(3))  # pyright: ignore[reportArgumentType] (the error tested)


def test_equality_is_by_content():
    a, b = WeightsAttr.from_array(numbers(4, 5), "a"), WeightsAttr.from_array(numbers(4, 5), "b")
    assert a == b and hash(a) == hash(b)
    assert a != WeightsAttr.from_array(numbers(4, 5, seed=1))
    assert a != WeightsAttr.from_array(numbers(5, 4))
    transposed = WeightsAttr.from_array(numbers(4, 5).T)
    assert transposed == WeightsAttr.from_array(np.ascontiguousarray(numbers(4, 5).T))
    elided = WeightsAttr(ElidedWeights((4, 5), a.sha256))
    assert a == elided and hash(a) == hash(elided)


def test_zeros_of_both_signs_differ():
    positive, negative = (
        WeightsAttr.from_array(np.full(2, zero, np.float32)) for zero in (0.0, -0.0)
    )
    assert positive != negative


def test_splats_take_no_memory():
    array = weights.splat(0.5, (10**5, 10**5))
    assert ArrayWeights(array).array.strides == (0, 0)
    assert str(WeightsAttr.from_array(array)) == "#nn.weights<splat 0.5 shape [100000, 100000]>"
    dense = ArrayWeights(np.full((100, 100), 0.5, np.float32))
    assert dense == ArrayWeights(weights.splat(0.5, (100, 100)))
    assert not ArrayWeights(numbers(100, 100)).is_splat


# Text


BITS = st.one_of(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 0x80000000, 1, 0x007FFFFF, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000]),
)
SHAPES = st.lists(st.integers(0, 3), max_size=3)


@examples(100)
@given(st.data())
def test_text_keeps_every_bit(data: st.DataObject):
    shape = data.draw(SHAPES)
    size = int(np.prod(shape, dtype=int))
    bits = data.draw(st.lists(BITS, min_size=size, max_size=size))
    array = np.array(bits, np.uint32).view(np.float32).reshape(shape)
    parsed = parse(str(WeightsAttr.from_array(array)))
    assert parsed.shape == array.shape
    assert parsed.array.tobytes() == array.tobytes()


def test_large_arrays_stay_in_the_text_by_default():
    attribute = WeightsAttr.from_array(numbers(10, 10))
    assert str(attribute).startswith('#nn.weights<hex "0x')
    assert parse(str(attribute)) == attribute


def test_elided_arrays_cannot_be_mistaken_for_data():
    attribute = WeightsAttr.from_array(numbers(10, 10))
    with weights.printing(weights.Elide()):
        text = str(attribute)
    parsed = parse(text)
    assert parsed.shape == (10, 10) and parsed.sha256 == attribute.sha256
    with pytest.raises(CmcError, match=r"weights of shape \[10, 10\] were elided"):
        _ = parsed.array
    for policy in (weights.Keep(), weights.Inline(), weights.Elide()):
        with weights.printing(policy):
            assert str(parsed) == text


# Files


def test_large_arrays_in_a_file(tmp_path: Path):
    large, other = numbers(10, 10), numbers(10, 10, seed=1)
    same, reserved, small = numbers(10, 10), numbers(10, 10, seed=2), numbers(2)
    texts = save(
        tmp_path,
        WeightsAttr.from_array(large, "layer/conv.weight"),
        WeightsAttr.from_array(other, "layer/conv.weight"),
        WeightsAttr.from_array(same),
        WeightsAttr.from_array(reserved, "__metadata__"),
        WeightsAttr.from_array(small, "bias"),
        WeightsAttr.from_array(weights.splat(1.5, (1000, 1000))),
    )
    file = tmp_path / "model.safetensors"
    stored = load_file(file)
    np.testing.assert_array_equal(stored["layer/conv.weight"], large)
    np.testing.assert_array_equal(stored["layer/conv.weight.1"], other)
    assert len(stored) == 3
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    parsed = [parse(text, tmp_path / "model.mlir") for text in texts]
    assert isinstance(parsed[0].data, FileWeights)
    for attribute, array in zip(parsed, (large, other, same, reserved, small), strict=False):
        np.testing.assert_array_equal(attribute.array, array)
        assert not attribute.array.flags.writeable


def test_no_file_without_large_arrays(tmp_path: Path):
    save(tmp_path, WeightsAttr.from_array(numbers(2)))
    assert not list(tmp_path.iterdir())


def test_no_file_when_printing_fails(tmp_path: Path):
    (tmp_path / "model.safetensors").write_text("old")
    with (
        pytest.raises(RuntimeError),
        weights.printing(weights.ToFile(tmp_path / "model.safetensors")),
    ):
        str(WeightsAttr.from_array(numbers(10, 10)))
        raise RuntimeError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_file_is_replaced_by_one_made_from_it(tmp_path: Path):
    [text] = save(tmp_path, WeightsAttr.from_array(numbers(10, 10), "w"))
    parsed = parse(text, tmp_path / "model.mlir")
    assert save(tmp_path, parsed) == [text]
    np.testing.assert_array_equal(parse(text, tmp_path / "model.mlir").array, numbers(10, 10))


def test_references_survive_printing_elsewhere(tmp_path: Path):
    [text] = save(tmp_path, WeightsAttr.from_array(numbers(10, 10), "w"))
    parsed = parse(text, tmp_path / "model.mlir")
    assert str(tmp_path / "model.safetensors") in str(parsed)
    np.testing.assert_array_equal(parse(str(parsed)).array, numbers(10, 10))
    with weights.printing(weights.Inline()):
        assert str(parsed) == str(WeightsAttr.from_array(numbers(10, 10)))


def test_files_that_changed(tmp_path: Path):
    [text] = save(tmp_path, WeightsAttr.from_array(numbers(10, 10), "w"))
    file = tmp_path / "model.safetensors"
    data = file.read_bytes()

    def error(content: bytes) -> str:
        file.write_bytes(content)
        with pytest.raises(CmcError) as raised:
            _ = parse(text, tmp_path / "model.mlir").array
        return str(raised.value).removeprefix(f"{file}: ")

    changed = bytes([data[-1] ^ 1])
    assert error(data[:-1] + changed).startswith("weights 'w' are not those that were saved")
    damaged = "not a safetensors file, or one that is cut short: "
    assert error(data[:-1]).startswith(damaged)
    assert error(data.replace(b'"w"', b'"v"')) == "the weights file has no array named 'w'"
    assert error(data.replace(b"F32", b"I32")).startswith("weights 'w' are not a float32 array")
    assert error(data.replace(b"[10,10]", b"[5,20] ")).startswith("weights 'w' have shape [5, 20]")
    assert error(b"").startswith(damaged)
    assert error(b"\xff" * 100).startswith(damaged)
    file.unlink()
    with pytest.raises(CmcError, match="cannot read weights 'w': No such file or directory"):
        _ = parse(text, tmp_path / "model.mlir").array


def test_shapes_of_all_ranks_in_a_file(tmp_path: Path):
    arrays = {"scalar": numbers(), "empty": numbers(0, 3), "matrix": numbers(3, 4), "é": numbers(2)}
    path = tmp_path / "arrays.safetensors"
    write_arrays(path, arrays)
    stored = load_file(path)
    for key, array in arrays.items():
        np.testing.assert_array_equal(read_array(path, key), array)
        np.testing.assert_array_equal(stored[key], array)
        assert read_array(path, key).shape == stored[key].shape == array.shape


def test_files_of_arrays_in_another_order(tmp_path: Path):
    path = tmp_path / "arrays.safetensors"
    write_arrays(path, {"w": numbers(3, 4).T, "splat": weights.splat(0.5, (2, 3))})
    np.testing.assert_array_equal(read_array(path, "w"), numbers(3, 4).T)
    np.testing.assert_array_equal(read_array(path, "splat"), np.full((2, 3), 0.5))


def test_files_are_as_readable_as_others(tmp_path: Path):
    other, path = tmp_path / "other", tmp_path / "arrays.safetensors"
    other.touch()
    write_arrays(path, {"w": numbers(2)})
    assert path.stat().st_mode == other.stat().st_mode
