"""What a JSON schema forbids, as far as the OpenAPI document uses schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "null": (type(None),),
}
_KEYWORDS = {
    *("type", "const", "enum", "minLength", "maxLength", "pattern", "required", "properties"),
    *("oneOf", "additionalProperties", "minProperties", "description", "default"),
}


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """Return the keywords of a schema that a value breaks; empty if it is valid."""
    assert schema.keys() <= _KEYWORDS, schema.keys() - _KEYWORDS  # none is passed over
    return list(_faults(schema, value))


def _faults(schema: dict[str, Any], value: Any) -> Iterator[str]:
    kinds = schema.get("type", [])
    if kinds and not any(_is(value, kind) for kind in [kinds] * isinstance(kinds, str) or kinds):
        yield "type"
    if "const" in schema and value != schema["const"]:
        yield "const"
    if "enum" in schema and value not in schema["enum"]:
        yield "enum"
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield "length"
        if re.fullmatch(schema.get("pattern", r"[\s\S]*"), value) is None:
            yield "pattern"
    if isinstance(value, dict):
        yield from _faults_of_object(schema, value)


def _faults_of_object(schema: dict[str, Any], value: dict[str, Any]) -> Iterator[str]:
    if len(value) < schema.get("minProperties", 0):
        yield "properties"
    if not set(schema.get("required", [])) <= value.keys():
        yield "required"
    known = schema.get("properties", {})
    for name, member in value.items():
        yield from faults(known.get(name, schema.get("additionalProperties", {})), member)
    if "oneOf" in schema and sum(not faults(one, value) for one in schema["oneOf"]) != 1:
        yield "oneOf"


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
