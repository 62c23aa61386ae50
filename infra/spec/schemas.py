"""JSON Schemas of what people write, for editors: generated from the models, never by hand."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import cast

from immutabledict import immutabledict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from infra.spec.base import Spec
from infra.spec.endpoint import Endpoint
from infra.spec.environment import AS_OF, ENVIRONMENT, Environment
from infra.spec.quantities import write_duration
from infra.spec.template import Template

Schema = dict[str, object]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The newest draft that YAML language servers check without reservation."""


class _ForEditors(GenerateJsonSchema):
    """Leaves out what tells a writer nothing: titles that repeat a key, empty defaults."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        default = generated.get("default")
        if default in (None, []) or isinstance(default, dict):
            generated.pop("default", None)
        return generated

    def encode_default(self, dft: object) -> object:
        return write_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        generated = super().dict_schema(schema)
        for pattern, values in generated.pop("patternProperties", {}).items():
            generated |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return generated


def endpoint_schema() -> Schema:
    """Return the schema of `stacks/<stack>/<name>.yaml`; one that extends another may leave anything out."""
    schema = _schema(Endpoint, "Model Units endpoint")
    needed = {"required": schema.pop("required")}
    return schema | {"anyOf": [{"required": ["extends"]}, needed]}


def template_schema() -> Schema:
    """Return the schema of `templates/<name>.yaml`."""
    return _schema(Template, "Model Units template")


def environment_schema() -> Schema:
    """Return the schema of a whole `stacks/Pulumi.<stack>.yaml`; keys of others are left to them."""
    schema = _schema(Environment, "Model Units environment")
    definitions = cast("Schema", schema.pop("$defs"))
    environment = {key: value for key, value in schema.items() if key not in ("$schema", "title")}
    settings: Schema = {
        ENVIRONMENT: {"$ref": "#/$defs/Environment", "description": environment["description"]},
        AS_OF: {
            "description": "The day on which purchases and exemptions count; default: today.",
            "examples": ["2026-12-31"],
            "type": "string",
        },
    }
    config: Schema = {
        "description": "The stack's configuration, of which Model Units reads its own keys.",
        "type": "object",
        "properties": settings,
        "propertyNames": {"anyOf": [{"enum": list(settings)}, {"not": {"pattern": "^modelunits:"}}]},
        "required": [ENVIRONMENT],
    }
    return {
        "$schema": DRAFT,
        "title": schema["title"],
        "description": "Pulumi's file of a stack; the environment is its only part that Model Units reads.",
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
        "$defs": definitions | {"Environment": environment},
    }


SCHEMAS: Mapping[str, Callable[[], Schema]] = immutabledict(
    {"endpoint": endpoint_schema, "template": template_schema, "environment": environment_schema}
)
"""The schemas by the name of their file, `schemas/<name>.json`."""


def schema_texts() -> dict[str, str]:
    """Return the text of every schema file by its name."""
    return {
        f"{name}.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
        for name, schema in SCHEMAS.items()
    }


def _schema(model: type[Spec], title: str) -> Schema:
    generated = model.model_json_schema(schema_generator=_ForEditors)
    return {"$schema": DRAFT, **generated, "title": title}
