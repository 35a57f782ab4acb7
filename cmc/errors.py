"""The one exception that is meant for people."""


class CmcError(Exception):
    """Something that a person gave us is wrong, and they can mend it.

    `message` says in one line what is wrong and, where it helps, what to do; `where` says where: a
    file with line and column, an ONNX node, a core, a channel.
    """

    def __init__(self, message: str, where: str | None = None):
        self.message = message
        self.where = where
        super().__init__(_one_line(message if where is None else f"{where}: {message}"))


def _one_line(text: str) -> str:
    """Names in a file may hold anything: what ends a line, or moves a cursor, is escaped."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
