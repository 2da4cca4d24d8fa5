"""Embed texts into an index on disk, and search it by one bit a dimension.

The endpoint is served here, by the toy model `hash-256`. Without `base_url` the client
asks Mistral, with the key in MISTRAL_API_KEY.
"""

import tempfile
from pathlib import Path

import embcodec
from embcodec.server import running_server

TEXTS = [
    "base64 carries three bytes in four characters",
    "a cat sat on a mat",
    "the mat was red and the cat was not",
    "popcount counts the bits of a word",
    "a bit a dimension is enough for candidates",
    "float32 rows decide which of them come first",
]


def main() -> None:
    """Build the index, close everything, open it again and ask."""
    with (
        running_server(["hash-256"]) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder, "index.safetensors")
        with embcodec.Client(base_url=server.base_url) as client:
            stored = client.embed(TEXTS, model="hash-256").embeddings
            rows = stored.to("int8", scale="per-vector")
            index = embcodec.FlatIndex(stored.to("ubinary"), rescore_with=rows)
            index.save(path)
            print(f"{len(index)} texts, {path.stat().st_size:,} bytes on disk")

            index = embcodec.FlatIndex.load(path, mmap=True)  # rows stay on disk
            question = client.embed(
                "where did the cat sit, on a mat?", model="hash-256"
            ).embeddings
        found = index.search(question, k=3)
        for score, row in zip(found.scores[0], found.indices[0], strict=True):
            print(f"{score:6.3f}  {TEXTS[row]}")
        assert found.indices[0, 0] == 1
        del index  # a mapped file is let go of before its folder goes


if __name__ == "__main__":
    main()
