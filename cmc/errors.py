"""The one exception that is meant for people."""


class CmcError(Exception):
    """Something that a person gave us is wrong, and they can mend it.

    `message` says in one line what is wrong and, where it helps, what to do; `where` says where: a
    file with line and column, an ONNX node, a core, a channel.
    """

    def __init__(self, message: str, where: str | None = None):
        self.message = message
        self.where = where
        super().__init__(message if where is None else f"{where}: {message}")
