"""JSON schemas of fields and objects, and the parts of a document that protocols share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, assert_never

from flask_otp_mpp.protocols.fields import Choice, Field, Matching, Number, Text, Union
from flask_otp_mpp.protocols.json_fields import CONTROLS, SURROGATES
from flask_otp_mpp.protocols.values import CodeRow, Mount, Operation

Json: TypeAlias = dict[str, Any]

NO_STORE: Final[Json] = {"Cache-Control": {"schema": {"const": "no-store"}}}
"""The header of every answer."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a document says of one protocol.

    :param title: the protocol as its documents call it.
    :param about: what holds for all of its operations.
    :param paths: the path items, by the path as callers call it.
    :param components: by their kind and name; protocols that share a name share the component.
    """

    title: str
    about: str
    paths: Json
    components: dict[str, Json]


def schema_of(field: Field) -> Json:
    """Return the schema of a field; a text's length is in characters, as JSON schemas count."""
    told = {"description": field.meaning}
    if isinstance(field, Text):
        bounds = {"minLength": 1, "maxLength": field.longest}
        return {"type": "string", **bounds, **_pattern(f"[^{CONTROLS}]"), **told}
    if isinstance(field, Matching):
        rule = field.rule
        longest = {} if rule.longest is None else {"maxLength": rule.longest}
        bounds = {"minLength": rule.shortest, **longest}
        return {"type": "string", **bounds, **_pattern(rule.characters), **told}
    if isinstance(field, Choice):
        if field.default is None:
            return {"type": "string", "enum": list(field.choices), **told}
        usual = next(name for name, it in field.choices.items() if it == field.default)
        choices = [*field.choices, None]
        return {"type": ["string", "null"], "enum": choices, "default": usual, **told}
    if isinstance(field, Number):
        only = {} if field.only is None else {"const": field.only}
        return {"type": "integer", **only, **told}
    if isinstance(field, Union):
        # No keyword counts the members that are not null; those that are null are absent.
        members = {"additionalProperties": {"type": ["object", "null"]}, "minProperties": 1}
        return {"type": ["object", "null"], **members, **told}
    assert_never(field)


def _pattern(characters: str) -> Json:
    """Return the rule that a text has only such characters.

    Surrogates are left out: no UTF-8 holds one, and the regular expressions of Go and Rust can't
    name them.
    """
    nameable = characters.replace(SURROGATES, "")
    return {} if nameable == "[^]" else {"pattern": f"^{nameable}*$"}


def is_required(field: Field) -> bool:
    """Tell whether a request must have the field."""
    return not isinstance(field, Union) and not (
        isinstance(field, Choice) and field.default is not None
    )


def object_of(
    fields: Iterable[Field], meaning: str = "", inner: Mapping[str, Json] | None = None
) -> Json:
    """Return the schema of an object of fields; members that it does not name are ignored.

    :param inner: the schemas of further members by their name, each required.
    """
    listed, more = list(fields), inner or {}
    return {
        "type": "object",
        **({"description": meaning} if meaning else {}),
        "properties": {**more, **{one.name: schema_of(one) for one in listed}},
        "required": [*more, *(one.name for one in listed if is_required(one))],
    }


def code_list(rows: Iterable[CodeRow]) -> str:
    """Return the codes as a list in Markdown, each with its status and message."""
    return "\n".join(f"* `{row.code}` ({row.status}): {row.message}" for row in rows)


def reference(kind: str, name: str) -> Json:
    """Refer to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def operation_id(protocol: str, operation: Operation, number: int) -> str:
    """Return the name of an operation; the first mount, the usual one, bears no number."""
    return f"{protocol}_{operation}" + (f"_{number + 1}" if number else "")


def path_of(mount: Mount, path: str) -> str:
    """Return a path as callers call it, and sign it if they sign."""
    return mount.public_prefix + path
