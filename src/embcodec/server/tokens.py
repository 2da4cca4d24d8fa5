"""Token ids back to text: what OpenAI's route takes, and LangChain sends by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from .request import RefusalError

Detokenize = Callable[[list[int]], str]

ENCODING = "cl100k_base"
"""The tokens of OpenAI's embedding models, all of them."""
_WAY = "send the text (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False))"


class OpenAITokens:
    """Reads token ids as OpenAI's embedding models have them, by the package tiktoken.

    tiktoken fetches its table where it does not find it, once, into the folder that ``TIKTOKEN_CACHE_DIR`` names.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._encoding: Any = None

    def __call__(self, ids: list[int]) -> str:
        """Return the text.

        Raises
        ------
        RefusalError
            422 where the package or its table is not there.
        LookupError, OverflowError
            For an id that is none.
        """
        with self._lock:
            if self._encoding is None:
                self._encoding = _load()
        text: str = self._encoding.decode(ids)
        return text


def _load() -> Any:
    try:
        import tiktoken

        return tiktoken.get_encoding(ENCODING)
    except ModuleNotFoundError:
        lack = "the package tiktoken: on the server run pip install 'embcodec[tokens]'"
    except Exception:  # tiktoken fetches its table, by a way that may raise anything
        lack = "tiktoken's table, which cannot be fetched: have TIKTOKEN_CACHE_DIR name a folder that holds it"
    message = f"Token ids are read as {ENCODING} by {lack}, or {_WAY}"
    raise RefusalError.invalid("string_type", ("input",), message, None)


def texts_of(token_ids: Sequence[list[int]], detokenize: Detokenize) -> list[str]:
    """Return the texts that lists of token ids stand for.

    Raises
    ------
    RefusalError
        422 where an id is none, or ids cannot be read here.

    Examples
    --------
    >>> texts_of([[97, 98], [99]], lambda ids: bytes(ids).decode())
    ['ab', 'c']
    """
    texts = []
    for position, ids in enumerate(token_ids):
        try:
            texts.append(detokenize(ids))
        except (LookupError, OverflowError, ValueError, TypeError):
            message = f"Input should be token ids that the server can read; not all of these are: {_WAY}"
            raise RefusalError.invalid("value_error", ("input", position), message, ids) from None
    return texts
