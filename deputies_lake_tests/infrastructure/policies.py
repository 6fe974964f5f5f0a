"""IAM's decision, as far as our policies need it: a denial beats all, what no statement allows is denied.

Raises for a condition that it does not know, instead of taking it for granted.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Document = Mapping[str, Any]
Context = Mapping[str, str]


def allows(documents: Sequence[Document], action: str, resource: str, context: Context | None = None) -> bool:
    """Whether a role with these policies may do it. `context` holds condition keys and their values."""
    return _effects(documents, action, resource, context) == {"Allow"}


def denies(documents: Sequence[Document], action: str, resource: str, context: Context | None = None) -> bool:
    """Whether one of these policies says that it may not be done, whatever others say."""
    return "Deny" in _effects(documents, action, resource, context)


def _effects(documents: Sequence[Document], action: str, resource: str, context: Context | None) -> set[str]:
    return {
        statement["Effect"]
        for document in documents
        for statement in document["Statement"]
        if _matches(statement["Action"], action.lower(), lower=True)
        and _matches(statement["Resource"], resource)
        and all(
            _holds(operator, key, expected, context or {})
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    }


def listed(value: Any) -> list[Any]:
    """IAM lets one stand for a list of one."""
    return value if isinstance(value, list) else [value]


def _matches(patterns: Any, found: str, *, lower: bool = False) -> bool:
    return any(fnmatchcase(found, pattern.lower() if lower else pattern) for pattern in listed(patterns))


def _holds(operator: str, key: str, expected: Any, context: Context) -> bool:
    found = context.get(key)
    match operator:
        case "StringEquals" | "Bool":
            return found in listed(expected)
        case "StringEqualsIfExists":
            return found is None or found in listed(expected)
        case "StringLike":
            return found is not None and _matches(expected, found)
        # As in IAM, what a request does not say is not equal to anything.
        case "StringNotEquals" | "ArnNotEquals":
            return found not in listed(expected)
    raise NotImplementedError(f"a condition that our policies did not use so far: {operator}")
