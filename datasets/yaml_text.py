"""Read YAML that others wrote: plain values alone, and nothing that grows or nests without end."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

from .errors import BenchError

_LONGEST = 4 << 20
_DEEPEST = 40
_MOST_NODES = 200_000


class YamlError(BenchError, ValueError):
    """Text that is not YAML, or more than plain values; the message names its origin, the cause and the remedy."""


def read_yaml(text: str, origin: object) -> Any:
    """The value of one YAML document; ``origin`` names it in errors.

    Raises:
        YamlError: not YAML, a key that is there twice, too long or deeply nested, or aliases that expand to more than
            can be meant: a few lines of nested aliases stand for gigabytes.
    """
    if len(text) > _LONGEST:
        raise YamlError(f"{origin}: has {len(text)} signs, more than the {_LONGEST} that are read")
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: dates such as 2024-13-99
        raise YamlError(f"{origin}: not valid YAML: {' '.join(str(error).split())}") from None


class _PlainLoader(yaml.SafeLoader):
    """The safe loader, with bounds on depth and on what aliases expand to, and without repeated keys."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = self._nodes = 0
        self._sizes: dict[str, int] = {}
        """Nodes under each anchor whose end was read, aliases in them expanded."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._sizes:
                raise _error(f"*{event.anchor} is not known, or contains itself", event)
            self._count(self._sizes[event.anchor], event)
            return super().compose_node(parent, index)
        before, self._depth = self._nodes, self._depth + 1
        if self._depth > _DEEPEST:
            raise _error(f"nested more than {_DEEPEST} deep", event)
        self._count(1, event)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if anchor := getattr(event, "anchor", None):
            self._sizes[anchor] = self._nodes - before
        return node

    def _count(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > _MOST_NODES:
            raise _error(f"stands for more than {_MOST_NODES} values", event)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _error(f"key '{key.value}' is there twice", key)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        try:
            str(node.value).encode()
        except UnicodeEncodeError:
            raise _error("half of a surrogate pair is no text", node) from None
        return super().construct_scalar(node)


def _error(problem: str, at: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)  # type: ignore[arg-type]
