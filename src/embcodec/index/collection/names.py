"""The texts of a collection's rows, as its users ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...codec import as_int64, as_whole
from ...words import shown
from .folder import Folder
from .texts import TextIds, texts_among


class Names:
    """What a collection says of texts and numbers that name rows."""

    _folder: Folder
    _texts: TextIds

    def text_ids(self, ids: ArrayLike) -> list[Any]:
        """Return the texts that rows were appended with; None for rows without one, or ids that are not there.

        Parameters
        ----------
        ids : array-like of int, of any shape
            As the `indices` of a result.

        Returns
        -------
        list of str or None
            Nested as `ids` are.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from embcodec import Collection
        >>> x = np.eye(3, dtype=np.float32)
        >>> vectors = Collection.create(tempfile.mkdtemp() + "/vectors", like=x)
        >>> vectors.append(x, ids=["red", "green", "blue"]).tolist()
        [0, 1, 2]
        >>> vectors.text_ids(vectors.search(x[1], 1).indices), vectors.ids_of(["blue"]).tolist()
        (['green'], [2])
        """
        named = as_whole(ids, "id", several=True)
        if not named.ndim:
            raise TypeError(f"ids are whole numbers, as a list, not {shown(ids)}")
        flat = as_int64(named.reshape(-1))
        texts = np.empty(len(flat), object)
        texts[:] = self._folder.again(lambda: self._texts.of_rows(flat))
        return list(texts.reshape(named.shape).tolist())

    def ids_of(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of the rows that texts name, for :meth:`remove` and masks, (n,).

        Raises
        ------
        KeyError
            Where a text names no row.
        """
        if isinstance(texts, list | tuple) and not texts:
            return np.empty(0, np.int64)
        asked = texts_among([texts] if isinstance(texts, str) else texts)
        if asked is None:
            raise TypeError("texts are the ids that rows were appended with, as a list of str")
        found = self._folder.again(lambda: self._texts.ids_of(asked))
        if (found < 0).any():
            raise KeyError(f"id {shown(asked[int((found < 0).argmax())])} is not in the collection")
        return found
