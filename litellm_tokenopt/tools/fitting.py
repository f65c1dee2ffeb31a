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
    """Raises `InputError` where *schema* (of *what*) is no JSON schema."""
    from jsonschema import SchemaError

    try:
        _dialect(schema).check_schema(schema, format_checker=None)
    except SchemaError as error:
        raise InputError(f"{what}: no JSON schema: {_said(error.json_path, error.message)}") from None


def check_arguments(schema: Mapping[str, Any], arguments: Mapping[str, Any], name: str) -> None:
    """Raises `InputError` where *arguments* of the tool *name* don't fit *schema*.

    What can't be checked (a reference to another document, a pattern in another language's form) is taken as fitting.
    """
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = _dialect(schema)(schema, registry=Registry())
    try:
        errors = list(islice(validator.iter_errors(dict(arguments)), FAULTS))
    except (Unresolvable, re.error):
        return
    if errors:
        faults = "; ".join(_said(error.json_path, error.message) for error in errors)
        raise InputError(f"invalid arguments of {name}: {faults}")


def _dialect(schema: Any) -> type[Validator]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    dialect: type[Validator] = validator_for(schema, default=Draft202012Validator)
    return dialect


def _said(path: str, message: str) -> str:
    where = path.removeprefix("$").removeprefix(".")
    short = message if len(message) <= FAULT_CHARS else message[:FAULT_CHARS] + "\u2026"
    return f"{where}: {short}" if where else short
