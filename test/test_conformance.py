# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A part of what `make conformance` runs, and the page that it wrote."""

from __future__ import annotations

import onnx
import pytest

from conformance.run import NodeTest, load_tests, operator_of, run_test
from conformance.table import format_row
from conftest import ROOT


@pytest.fixture
def tests() -> dict[str, NodeTest]:
    return load_tests()


RIGHT = [
    "test_" + name
    for name in (
        *("affine_grid_2d", "attention_4d_with_past_and_present", "bitshift_left_uint8"),
        *("bitshift_right_int8", "cumprod_1d_exclusive", "dft_irfft", "stft_with_window"),
        *("flexattention_scaled", "loop11", "maxunpool_export_with_output_shape", "sce_mean"),
        *("nllloss_NC", "onehot_with_axis", "scan9_multi_state", "tensorscatter_circular"),
        *("mod_mixed_sign_float32", "shape_start_1", "eyelike_with_dtype", "acosh_example"),
        *("dropout_default_mask", "and_bcast3v1d", "layer_normalization_default_axis"),
        *("reduce_max_bool_inputs", "spacetodepth_crd_mode_example", "qlinearconv"),
    )
]
"""What other tests of the suite do not compute on the cores."""


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(name: str, tests: dict[str, NodeTest]):
    if name not in tests:
        pytest.skip("the installed onnx has no such test")
    outcome = run_test(name, tests)
    assert outcome.status == "cores", outcome.reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_nonzero_example", "operator 'NonZero' is not supported"),
        ("test_attention_3d_causal_bf16_expanded", "it rounds to bfloat16"),
        ("test_dft_inverse", "an inverse transform to complex numbers is not supported"),
        ("test_range_bfloat16_type_positive_delta_expanded", "the number of turns must be known"),
        ("test_optional_get_element_optional_tensor", "an input is no tensor"),
    ],
)
def test_what_is_right_with_the_host(name: str, reason: str, tests: dict[str, NodeTest]):
    if name not in tests:
        pytest.skip("the installed onnx has no such test")
    outcome = run_test(name, tests)
    assert outcome.status == "host"
    assert outcome.reason.startswith(reason)


def test_what_others_compute_differently_is_refused(tests: dict[str, NodeTest]):
    """onnx's definition and onnxruntime align other corners, and scales are known too late."""
    name = "test_resize_downsample_scales_linear_align_corners"
    if name not in tests:
        pytest.skip("the installed onnx has no such test")
    outcome = run_test(name, tests)
    assert outcome.status == "refused"
    assert outcome.reason.startswith("its scales 'scales' depend on the network's input")


@pytest.mark.parametrize("operator", ["LpPool", "CumSum", "NonZero", "DFT", "Trilu"])
def test_rows_of_the_page(operator: str, tests: dict[str, NodeTest]):
    page = (ROOT / "docs" / "operators.md").read_text()
    if f"onnx {onnx.__version__} " not in page.replace("\n", " "):
        pytest.skip("the page is of another version of onnx")
    own = [name for name in tests if operator_of(name, tests) == operator]
    assert format_row(operator, [run_test(name, tests) for name in own]) in page
