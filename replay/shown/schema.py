"""The JSON Schema of every document, made from the structs that the documents are.

Law: a schema is never written by hand. docs/schema/ holds what this makes, and a test compares them.
"""

from typing import Any

import msgspec

from replay.shown.report import DOCUMENTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a document. Raises KeyError for a kind that is none of `kinds()`."""
    made = msgspec.json.schema(DOCUMENTS[kind])
    return {"$schema": DIALECT, "title": f"pvdctl {kind}", **made}


def kinds() -> list[str]:
    """The documents that have a schema."""
    return sorted(DOCUMENTS)


def text(kind: str) -> str:
    """The schema as the file docs/schema/KIND.json has it."""
    return msgspec.json.format(msgspec.json.encode(schema(kind), order="sorted"), indent=2).decode() + "\n"
