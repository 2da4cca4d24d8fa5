"""What is sent to stores that do not run here, against what their own clients make and take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from embcodec import from_elasticsearch, from_milvus, from_s3_vectors, to_elasticsearch, to_milvus, to_s3_vectors
from stores import BITS, FLOATS, HALVES, INTEGERS, ROWS, X, need


def test_elasticsearch_packs_alike() -> None:
    need("elasticsearch")
    from elasticsearch.helpers import pack_dense_vector

    texts = to_elasticsearch(FLOATS)
    assert texts == [pack_dense_vector(row) for row in X]
    assert from_elasticsearch(texts) == FLOATS


@pytest.mark.filterwarnings("ignore")  # the client's own
def test_milvus_packs_alike() -> None:
    need("pymilvus")
    ml_dtypes = need("ml_dtypes")
    from pymilvus import DataType
    from pymilvus.client import entity_helper
    from pymilvus.grpc_gen import schema_pb2

    def sent(kind: Any, rows: Any) -> bytes:
        """Return the bytes that the client sends for a column of rows."""
        field, cache, info = schema_pb2.FieldData(type=kind), {}, {"name": "v", "params": {"dim": FLOATS.dimension}}
        for row in rows:
            entity_helper.pack_field_value_to_field_data(row, field, info, cache)
        entity_helper.flush_vector_bytes(field, cache)
        vectors = field.vectors
        return bytes(getattr(vectors, vectors.WhichOneof("data")))

    short = X.astype(ml_dtypes.bfloat16)
    for kind, ours, theirs in (
        (DataType.FLOAT16_VECTOR, to_milvus(X, float_dtype="float16"), X.astype(np.float16)),
        (DataType.BFLOAT16_VECTOR, to_milvus(X, float_dtype="bfloat16"), short),
        (DataType.INT8_VECTOR, to_milvus(INTEGERS["int8"]), INTEGERS["int8"].values),
        *((DataType.BINARY_VECTOR, to_milvus(rows), map(bytes, np.packbits(X > 0, axis=1))) for rows in BITS.values()),
    ):
        assert sent(kind, ours) == sent(kind, theirs), kind
    assert from_milvus(list(map(bytes, INTEGERS["int8"].values)), "int8") == INTEGERS["int8"]
    assert from_milvus(to_milvus(X, float_dtype="float16"), float_dtype="float16") == HALVES
    back = from_milvus(to_milvus(X, float_dtype="bfloat16"), float_dtype="bfloat16")
    assert np.array_equal(back.values, short.astype(np.float32))
    for rows in BITS.values():
        assert from_milvus([[blob] for blob in to_milvus(rows)], "ubinary") == BITS["ubinary"]


def test_s3_vectors_are_what_boto3_sends() -> None:
    session = need("botocore.session").get_session()
    client = session.create_client(
        "s3vectors", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    sent: list[Any] = []
    with need("botocore.stub").Stubber(client) as stub:
        rows = np.tile(X, (4, 1))
        keys = [str(number) for number in range(len(rows))]
        metadata = [{"year": number} if number % 2 else None for number in range(len(rows))]
        for vectors in to_s3_vectors(rows, keys, metadata):
            asked = {"vectorBucketName": "bucket", "indexName": "items", "vectors": vectors}
            stub.add_response("put_vectors", {}, asked)
            client.put_vectors(**asked)
            sent += vectors
    limits = client.meta.service_model.operation_model("PutVectors").input_shape.members["vectors"].metadata
    assert limits["max"] == 500
    assert [len(vectors) for vectors in to_s3_vectors(rows, keys)] == [500, 500, 4 * ROWS - 1000]
    assert [one.get("metadata") for one in sent] == metadata
    back, names = from_s3_vectors(sent)
    assert np.array_equal(back.values, rows)
    assert names == keys
