# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Reports as JSON are what their schema says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias

import pytest
from jsonschema import Draft202012Validator, ValidationError

import cmc
from cmc.reports.report import VERSION, Report
from conftest import ROOT
from host_models import detector, only_host
from onnx_models import normal, one_node_model

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())


Json: TypeAlias = "str | int | float | bool | Mapping[str, Json] | Sequence[Json] | None"


class Validator(Protocol):
    """Finds what is not as a schema says."""

    def iter_errors(self, instance: Json) -> Iterable[ValidationError]: ...


@pytest.fixture(scope="module")
def validator() -> Validator:
    Draft202012Validator.check_schema(SCHEMA)
    return Draft202012Validator(SCHEMA)


def wrong(validator: Validator, data: Json) -> list[str]:
    """What is not as the schema says."""
    return [error.message for error in validator.iter_errors(data)]


def reports(kind: str) -> Report:
    """Reports of several kinds."""
    convolution = one_node_model("Conv", (1, 2, 6, 6), (normal(3, 2, 3, 3), normal(3)))
    match kind:
        case "ideal":
            return cmc.compile(convolution).time(1)
        case "several pipelines":
            report = cmc.compile(convolution, target="pcm-64").time(5)
            assert report.pipelines > 1
            return report
        case "links and host":
            target = "pimcomp-mesh:cores=4,grid=[2,2],crossbars=1"
            report = cmc.compile(detector(), target=target, copies="none").time(2)
            assert report.links and report.host
            return report
        case _:
            return cmc.compile(only_host()).run({"x": normal(1, 6)}).report


@pytest.mark.parametrize("kind", ["ideal", "several pipelines", "links and host", "only the host"])
def test_reports_are_as_the_schema_says(validator: Validator, kind: str):
    data = json.loads(reports(kind).to_json())
    assert data["version"] == VERSION == SCHEMA["properties"]["version"]["const"]
    assert wrong(validator, data) == []


def test_a_key_that_the_schema_does_not_have_is_refused(validator: Validator):
    data = json.loads(reports("ideal").to_json())
    parts = (data, data["cores"][1], data["cores"][1]["programs"][0], data["energy"]["counts"])
    for part in parts:
        assert wrong(validator, data) == []
        part["more"] = 1
        assert len(wrong(validator, data)) == 1
        del part["more"]
    del data["bound_by"]
    assert wrong(validator, data) == ["'bound_by' is a required property"]
