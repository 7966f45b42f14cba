"""Alerts as documents: the schema they follow and the chain they form."""

import hashlib
import json
import os

import jsonschema

_PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "deploy", "alert.schema.json")
with open(_PATH, encoding="utf-8") as _file:
    SCHEMA = json.load(_file)
jsonschema.Draft202012Validator.check_schema(SCHEMA)
_VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

FIRST = "0" * 64  # the hash before the first record


def _once(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise AssertionError(f"a name stands twice among {names}")
    return dict(pairs)


def parse(text):
    """The document, after a look at it; AssertionError says what is wrong."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    record = json.loads(text, object_pairs_hook=_once)
    for error in _VALIDATOR.iter_errors(record):
        raise AssertionError(f"{error.json_path}: {error.message}")
    _check_missing(record)
    if digest(text) != record["hash"]:
        raise AssertionError("its hash is another one")
    return record


def _check_missing(record):
    """What is null among the values of now is named in `missing`."""
    named = {item["name"] for item in record["missing"]}
    nulls = {name for name, value in record["values"]["now"].items()
             if value is None}
    if not nulls <= named:
        raise AssertionError(f"missing without a reason: {nulls - named}")


def digest(text):
    """SHA-256 over prev_hash and the document without its tail."""
    head, _, tail = text.rpartition(',"prev_hash":"')
    return hashlib.sha256((tail[:64] + head + "}").encode()).hexdigest()


def check_chain(texts, before=FIRST):
    """All of @texts, each the next of the one before; their documents."""
    records = []
    for text in texts:
        record = parse(text)
        if record["prev_hash"] != before:
            raise AssertionError(f"seq {record['seq']} follows another record")
        if records and record["seq"] != records[-1]["seq"] + 1:
            raise AssertionError(f"seq {record['seq']} after "
                                 f"{records[-1]['seq']}")
        before = record["hash"]
        records.append(record)
    return records
