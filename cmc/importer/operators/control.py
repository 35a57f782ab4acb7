"""Operators that choose what is computed."""

from collections.abc import Sequence

from cmc.importer.node import Node, Value


def import_if(node: Node) -> Sequence[Value]:
    """The branch that is taken, in place of the node."""
    condition = node.known(0, "the condition")
    if condition is None or condition.size != 1:
        raise node.error("the condition is not one truth value")
    return node.graph.inline(node.get_graph("then_branch" if condition.all() else "else_branch"))


OPERATORS = {"If": import_if}
