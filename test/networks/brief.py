# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""A short `repr` for dataclasses with many defaults."""

from dataclasses import fields, is_dataclass


class Brief:
    """Base of a dataclass whose `repr` is a call that leaves out what is as by default."""

    def __repr__(self) -> str:
        assert is_dataclass(self)
        values = ((field, getattr(self, field.name)) for field in fields(self))
        shown = [f"{field.name}={value!r}" for field, value in values if value != field.default]
        return f"{type(self).__name__}({', '.join(shown)})"
