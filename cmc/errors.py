# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""The one exception that is meant for people."""


class CmcError(Exception):
    """Something that a person gave us is wrong, and they can mend it.

    `message` says in one line what is wrong and, where it helps, what to do; `where` says where: a
    file with line and column, an ONNX node, a core, a channel. `node` is the name of the ONNX node
    that it is about, if it is about one.
    """

    def __init__(self, message: str, where: str | None = None, node: str | None = None):
        self.message = one_line(message)
        self.node = node
        self.where = None if where is None else one_line(where)
        super().__init__(self.message if where is None else f"{self.where}: {self.message}")


class Malformed(CmcError):
    """A model that nobody can compute, on cores or elsewhere."""


class Disputed(Malformed):
    """A model of which those who execute ONNX compute different results."""


def one_line(text: str) -> str:
    """`text`, in which what ends a line, or moves a cursor, is escaped: names may hold anything."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
