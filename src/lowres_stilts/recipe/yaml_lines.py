"""YAML that remembers the line of each value, so that errors can name it."""

import re
from pathlib import Path
from typing import Any

import yaml

from lowres_stilts.errors import RecipeError
from lowres_stilts.names import unreadable

Key = tuple[str | int, ...]
"""Where a value is: the keys and indices on the way to it."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain scalars: `no` is Norwegian, not false, and `1e-4` is a number."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in {"null", "int", "merge"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.IGNORECASE), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


class Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or `_Loader` would take for something else than text."""


Dumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *_Loader.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
}


def parse_yaml(text: str, source: str) -> tuple[Any, dict[Key, int]]:
    """The value of a YAML document and the line of every key in it.

    Raises:
        RecipeError: it is no YAML, or a key stands twice.
    """
    lines: dict[Key, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = None if node is None else _build(loader, node, (), lines, source)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{source}:{line}: not valid YAML: {error.problem}") from error
    except RecursionError as error:
        raise RecipeError(f"{source}: not valid YAML: nested too deeply") from error
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:  # of wrongly tagged scalars too
        raise RecipeError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from error
    return value, lines


def read_yaml(path: Path) -> tuple[Any, dict[Key, int]]:
    """`parse_yaml` of a file.

    Raises:
        RecipeError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RecipeError(unreadable(path, error)) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: cannot be read: not valid UTF-8") from error
    return parse_yaml(text, str(path))


def _build(loader: _Loader, node: yaml.Node, key: Key, lines: dict[Key, int], source: str) -> Any:
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_build(loader, child, (*key, i), lines, source) for i, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    _refuse_repeated_keys(node, source)
    loader.flatten_mapping(node)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        name = _name(key_node)
        lines[(*key, name)] = key_node.start_mark.line + 1
        mapping[name] = _build(loader, value_node, (*key, name), lines, source)
    return mapping


def _refuse_repeated_keys(node: yaml.MappingNode, source: str) -> None:
    seen: set[str] = set()
    for key_node, _ in node.value:
        name = _name(key_node)
        if name in seen:
            raise RecipeError(f"{source}:{key_node.start_mark.line + 1}: key {name!r} stands twice")
        seen.add(name)


def _name(node: yaml.Node) -> str:
    return str(node.value)
