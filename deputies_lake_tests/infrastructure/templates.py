"""CloudFormation's templates, resolved: what a template says once its parameters and conditions are known.

Only the functions that our template uses. Whatever else there is in one is a mistake, and raises.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

from moto.cloudformation.models import Stack

Template = Mapping[str, Any]

REF = "Ref"
_NAMES_IN_TEXT = re.compile(r"\$\{([^}!]+)\}")


@cache
def parse(text: str) -> Template:
    """A template's text with its short forms (`!Sub`) written out."""
    template: Template = Stack.parse_template(text)
    return template


class Resolver:
    """Answers what a template says. `known` holds parameters and pseudo parameters; `attribute` is asked for a
    resource's `Ref` and for its other attributes."""

    def __init__(
        self, template: Template, known: Mapping[str, str], attribute: Callable[[str, str], str] | None = None
    ) -> None:
        self.template = template
        self._known = known
        self._attribute = attribute

    def holds(self, condition: str) -> bool:
        return self._is_true(self.template["Conditions"][condition])

    def _is_true(self, node: Any) -> bool:
        match node:
            case {"Fn::Equals": [left, right]}:
                return bool(self.value(left) == self.value(right))
            case {"Fn::Not": [one]}:
                return not self._is_true(one)
            case {"Fn::And": several}:
                return all(self._is_true(one) for one in several)
        raise NotImplementedError(f"a condition that our template did not use so far: {node}")

    def wanted(self, item: Mapping[str, Any]) -> bool:
        """Whether a resource or an output is to be there."""
        return "Condition" not in item or self.holds(item["Condition"])

    def resources(self) -> list[str]:
        """The logical names of the resources that are to be there, each after those it needs."""
        declared = {name: item for name, item in self.template["Resources"].items() if self.wanted(item)}
        needs = {name: {n for n in _mentioned(item) if n in declared} for name, item in declared.items()}
        return list(TopologicalSorter(needs).static_order())

    def properties(self, name: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.value(self.template["Resources"][name].get("Properties", {}))
        return properties

    def outputs(self) -> dict[str, str]:
        declared = self.template.get("Outputs", {})
        return {name: self.value(item["Value"]) for name, item in declared.items() if self.wanted(item)}

    def value(self, node: Any) -> Any:
        match node:
            case {"Ref": str(name)}:
                return self._named(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._of(name, attribute)
            case {"Fn::Sub": str(text)}:
                return _NAMES_IN_TEXT.sub(lambda found: self._named(found[1]), text)
            case dict() if any(key.startswith("Fn::") for key in node):
                raise NotImplementedError(f"a function that our template did not use so far: {node}")
            case dict():
                return {key: self.value(value) for key, value in node.items()}
            case list():
                return [self.value(value) for value in node]
        return node

    def _named(self, name: str) -> str:
        if name in self._known:
            return self._known[name]
        resource, _, attribute = name.partition(".")
        return self._of(resource, attribute or REF)

    def _of(self, resource: str, attribute: str) -> str:
        if self._attribute is None or resource not in self.template["Resources"]:
            raise KeyError(f"{resource}.{attribute} is unknown")
        return self._attribute(resource, attribute)


def _mentioned(node: Any) -> Iterator[str]:
    """The names that a part of a template refers to."""
    match node:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), _]}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from (found.partition(".")[0] for found in _NAMES_IN_TEXT.findall(text))
        case dict():
            depends = node.get("DependsOn", [])
            yield from [depends] if isinstance(depends, str) else depends
            for value in node.values():
                yield from _mentioned(value)
        case list():
            for value in node:
                yield from _mentioned(value)
