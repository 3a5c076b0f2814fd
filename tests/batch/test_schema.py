"""Columns and metadata of the table of faces."""

import json

import pytest

pa = pytest.importorskip("pyarrow", reason="needs the extra `batch`")

from ddfa.batch.schema import faces_schema, model_of  # noqa: E402
from ddfa.errors import DataError  # noqa: E402
from ddfa.regress.bundle import MODEL_FILE  # noqa: E402
from ddfa.regress.registry import find_bundle  # noqa: E402


def test_the_model_is_in_the_metadata():
    bundle = find_bundle(None)
    schema = faces_schema(bundle)
    assert schema.field("params").type.list_size == bundle.layout.size
    assert not schema.field("source").nullable and schema.field("face").nullable
    assert model_of(schema, "table") == (bundle.name, bundle.files[MODEL_FILE])


def test_other_tables_are_refused():
    schema = faces_schema(find_bundle(None))
    ((key, value),) = schema.metadata.items()
    newer = schema.with_metadata({key: json.dumps(json.loads(value) | {"version": 2})})
    with pytest.raises(DataError, match="t has version 2"):
        model_of(newer, "t")
    with pytest.raises(DataError, match="t is no table"):
        model_of(pa.schema([("number", pa.int32())]), "t")
