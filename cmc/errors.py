"""The one exception that is meant for people."""


class CmcError(Exception):
    """Something that a person gave us is wrong, and they can mend it.

    `message` says in one line what is wrong and, where it helps, what to do; `where` says where: a
    file with line and column, an ONNX node, a core, a channel.
    """

    def __init__(self, message: str, where: str | None = None):
        self.message = _one_line(message)
        self.where = None if where is None else _one_line(where)
        super().__init__(self.message if where is None else f"{self.where}: {self.message}")


def _one_line(text: str) -> str:
    """Names in a file may hold anything: what ends a line, or moves a cursor, is escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
