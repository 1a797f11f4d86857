"""What leaves: the granted fields of a source's record, checked against the service's schema.

A source that answers about another person, or with something else than its schema promises, is at fault;
what it said is dropped and no part of it is quoted.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator

from gateway.model import Service
from gateway.plugin import AgencyMisbehaved, Record

_MOST_REMEMBERED = 128
"""Validators kept, 100 KiB and more each: one for each term in use, and no more, whatever parts of it are asked for.
To compile one costs some 0.2 ms."""
_MOMENT = re.compile(
    r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}([Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2}))?)?)?",
    re.ASCII,
)
"""A date as precise as known, or a time of RFC 3339."""


class Minimiser:
    """Keeps a compiled validator for each service version and set of granted fields that were released last."""

    def __init__(self) -> None:
        self._validators: OrderedDict[tuple[str, str, tuple[str, ...]], Draft202012Validator] = OrderedDict()

    def minimise(self, record: Record, service: Service, granted: tuple[str, ...], identifier: str) -> dict[str, Any]:
        """The granted fields that the record has: valid against the schema's part about them, and JSON that every
        reader reads alike (I-JSON, RFC 7493 section 2.2: integers within 2^53).

        Raises AgencyMisbehaved: `wrong_person` where the answer names another identifier (or none although
        the service declares an echo), `as_of` where that is no date and no time, `schema` where a granted
        field is not what the schema says, or no such JSON.
        """
        if service.echo and record.echo != identifier:
            raise AgencyMisbehaved("wrong_person")
        if record.as_of is not None and not _is_moment(record.as_of):
            raise AgencyMisbehaved("as_of")
        data = {name: record.data[name] for name in granted if name in record.data}
        if not self._is_valid(data, service, granted):
            raise AgencyMisbehaved("schema")
        return data

    def _is_valid(self, data: dict[str, Any], service: Service, granted: tuple[str, ...]) -> bool:
        validator = self._validator(service, granted)
        try:
            orjson.dumps(data, option=orjson.OPT_STRICT_INTEGER)
            return validator.is_valid(data)
        except (ValueError, TypeError):  # a value that is not JSON's; the message would quote it
            return False

    def _validator(self, service: Service, granted: tuple[str, ...]) -> Draft202012Validator:
        key = (service.id, service.digest, granted)
        validator = self._validators.get(key)
        if validator is None:
            validator = Draft202012Validator(schema_of(service.schema, granted), validate_formats=True, offline=True)
            self._validators[key] = validator
            if len(self._validators) > _MOST_REMEMBERED:
                self._validators.popitem(last=False)
        else:
            self._validators.move_to_end(key)
        return validator


def _is_moment(text: object) -> bool:
    return isinstance(text, str) and _MOMENT.fullmatch(text) is not None


def schema_of(schema: Mapping[str, Any], granted: tuple[str, ...]) -> dict[str, Any]:
    """The part of a service's schema that speaks of the granted fields; nothing else may be there."""
    part: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {name: schema["properties"][name] for name in granted},
        "required": [name for name in schema.get("required", ()) if name in granted],
        "additionalProperties": False,
    }
    if "$defs" in schema:
        part["$defs"] = schema["$defs"]
    return part
