"""Whether a tool's schema is one, and whether arguments fit it; errors are said so that they can be acted on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

FAULTS, FAULT_CHARS = 5, 200
"""So many faults are named, each in so many characters."""


def check_schema(schema: Any, what: str) -> None:
    """Raises `InputError` where *schema* (of *what*) is no JSON schema.

    One that names no version is read as draft 7 has it, which is quicker, and takes lists of ``items`` too.
    """
    from jsonschema import Draft7Validator, SchemaError

    try:
        _dialect(schema, Draft7Validator).check_schema(schema, format_checker=None)
    except SchemaError as error:
        raise InputError(f"{what}: no JSON schema: {_said(error.json_path, error.message)}") from None


def check_arguments(schema: Mapping[str, Any], arguments: Mapping[str, Any], name: str) -> None:
    """Raises `InputError` where *arguments* of the tool *name* don't fit *schema*.

    What can't be checked (a reference to another document, a pattern in another language's form) is taken as fitting.
    """
    from jsonschema import Draft7Validator, Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    unnamed = Draft7Validator if _has_listed_items(schema) else Draft202012Validator
    validator = _dialect(schema, unnamed)(schema, registry=Registry())
    try:
        errors = list(islice(validator.iter_errors(dict(arguments)), FAULTS))
    except (Unresolvable, re.error):
        return
    if errors:
        faults = "; ".join(_said(error.json_path, error.message) for error in errors)
        raise InputError(f"invalid arguments of {name}: {faults}")


def _dialect(schema: Any, unnamed: type[Validator]) -> type[Validator]:
    """What the version that *schema* names means; *unnamed* where it names none."""
    from jsonschema.validators import validator_for

    dialect: type[Validator] = validator_for(schema, default=unnamed)
    return dialect


def _has_listed_items(node: Any) -> bool:
    """Whether somewhere in *node* each item has a schema of its own, in the older form."""
    if isinstance(node, list):
        return any(map(_has_listed_items, node))
    if not isinstance(node, Mapping):
        return False
    return isinstance(node.get("items"), list) or any(map(_has_listed_items, node.values()))


def _said(path: str, message: str) -> str:
    where = path.removeprefix("$").removeprefix(".")
    short = message if len(message) <= FAULT_CHARS else message[:FAULT_CHARS] + "\u2026"
    return f"{where}: {short}" if where else short
