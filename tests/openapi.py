"""Schemas of OpenAPI documents, for validating what a server answered. Needs python3-yaml and python3-jsonschema.

A document may have 90,000 lines, which take minutes to read as YAML: only the schemas that are asked for, and those that
they name, are read.
"""

import re

import jsonschema
import yaml

REF = "#/components/schemas/"


def blocks(text):
    """name -> text of each schema."""
    found, name, inside = {}, None, False
    for line in text.splitlines():
        if re.match(r"^  schemas:\s*$", line):
            inside = True
        elif inside and re.match(r"^ {0,3}[^ #]", line):
            inside = False
        elif inside:
            match = re.match(r"^    ([A-Za-z0-9_.\-]+):\s*$", line)
            if match:
                name = match.group(1)
                found[name] = []
            elif name:
                found[name].append(line[4:])
    return {name: "\n".join(lines) for name, lines in found.items()}


def plain(schema):
    """As JSON schema has it: without `nullable`, recursive references, and formats that are only notes."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$recursiveRef" in schema:
        return {}
    out = {key: plain(value) for key, value in schema.items() if key not in ("nullable", "discriminator", "$recursiveAnchor", "example", "examples", "format")}
    return {"anyOf": [out, {"type": "null"}]} if schema.get("nullable") is True else out


class Document:
    def __init__(self, path):
        self.texts = blocks(path.read_text(encoding="utf-8"))
        self.schemas, self.validators = {}, {}

    def read(self, name):
        waiting = [name]
        while waiting:
            at = waiting.pop()
            if at in self.schemas:
                continue
            self.schemas[at] = plain(yaml.load(self.texts[at], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
            waiting += {ref for ref in re.findall(re.escape(REF) + r"([A-Za-z0-9_.\-]+)", self.texts[at]) if ref in self.texts}

    def validator(self, name):
        if name not in self.validators:
            self.read(name)
            whole = {"$ref": REF + name, "components": {"schemas": self.schemas}}
            self.validators[name] = jsonschema.Draft202012Validator(whole)
        return self.validators[name]

    def problem(self, name, value):
        """None when the value is what the schema says, else one line that tells why not."""
        error = jsonschema.exceptions.best_match(self.validator(name).iter_errors(value))
        if error is None:
            return None
        return f"{name}{''.join(f'[{part!r}]' for part in error.absolute_path)}: {error.message[:300]}"
