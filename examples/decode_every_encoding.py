"""Decode one vector in every dtype and encoding that services send."""

import numpy as np

import embcodec

VECTOR = np.array([[0.5, -0.25, 0.125, -1.0, 0.75, 0.0, -0.0625, 1.0]], np.float32)


def main() -> None:
    """Print a line for each."""
    print(f"{'dtype':8} {'encoding':8} {'bytes':>5}  values")
    for dtype in embcodec.OutputDtype:
        rows = embcodec.Embeddings(VECTOR).to(dtype)
        for encoding in embcodec.EncodingFormat:
            body = embcodec.encode_response(
                rows, model="example", encoding_format=encoding
            )
            answer = embcodec.decode_response(body, output_dtype=dtype, dimension=8)
            assert answer.embeddings == rows
            assert answer.encoding_format == encoding
            values = np.array2string(answer.embeddings.to_float()[0], precision=2)
            print(f"{dtype:8} {encoding:8} {len(body):5}  {values}")

    # Services differ in what base64 carries: here big-endian half floats.
    profile = embcodec.Profile("mine", base64_dtype="float16", byte_order="big")
    body = embcodec.encode_response(
        VECTOR, model="example", encoding_format="base64", profile=profile
    )
    answer = embcodec.decode_response(body, profile=profile)
    assert (answer.embeddings.values == VECTOR).all()

    # What does not fit is refused, with row and byte.
    try:
        embcodec.decode_response(
            b'{"data": [{"embedding": [1, 300]}]}', output_dtype="int8"
        )
    except embcodec.DecodeError as error:
        print("refused:", error)


if __name__ == "__main__":
    main()
