"""Changes of a collection: rows added, rows removed, files joined. Each counts as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...codec import as_int64
from ...quantizers.lowbit import Rows, concat
from ...scan import as_ids
from ...words import as_whole
from ..arguments import check_alike, check_joins, finite_rows, given_to_rescore, like
from .folder import Folder
from .grown import Grown
from .manifest import Addition, Ingested, Manifest, Shard
from .shards import write_removed
from .texts import TextIds, refuse_texts


def append(
    folder: Folder,
    texts_of: TextIds,
    rows: Rows | ArrayLike,
    rescore_with: Rows | ArrayLike | None,
    ids: ArrayLike | None,
    texts: Sequence[str | None] | None,
    record: Callable[[Manifest], Ingested] | None = None,
) -> NDArray[np.int64]:
    """Append rows; see :meth:`Collection.append`. `record` notes where they are from before they count."""
    given = finite_rows(rows, "rows")
    codes = like(given, folder.kind.codes, "collection")
    better = given_to_rescore(given, rescore_with, folder.kind.rescore_with, "collection")
    check_alike(codes, better)
    check_joins(folder.kind.codes, codes, "collection")
    if better is not None and folder.kind.rescore_with is not None:
        check_joins(folder.kind.rescore_with, better, "collection")
    if not len(codes):
        return np.empty(0, np.int64) if ids is None else as_ids(ids, 0)
    with folder.changing() as now:
        if now.shards:
            check_joins(folder.shard(now.shards[0]).codes.rows, codes, "collection")
        named = _named(folder, now, len(codes), ids if texts is None else None)
        if texts is not None:
            if len(texts) != len(named):
                raise ValueError(f"ids have shape ({len(named)},), not ({len(texts)},)")
            texts_of.check_new(now, texts)
        elif ids is not None:
            texts_of.check_unused(named)
        ascending = named
        if ids is not None and (named[1:] < named[:-1]).any():
            order = np.argsort(named, kind="stable")
            codes, better, ascending = codes[order], None if better is None else better[order], named[order]
        shard = Shard.of(now.next_file, ascending)
        addition = Addition(
            shard,
            generation=now.generation + 1,
            next_id=max(now.next_id, shard.greatest + 1),
            next_file=now.next_file + 1,
            texts=None if texts is None else texts_of.write(now.next_file, named, texts),
            ingested=now.ingested if record is None else record(now),
        )
        folder.add(addition, codes, better, ascending)
        if texts is not None and addition.texts is not None:
            texts_of.remember(addition.texts.file, texts)
    return named


def remove(folder: Folder, ids: ArrayLike) -> None:
    """Remove rows; see :meth:`Collection.remove`."""
    refuse_texts(ids, "ids to remove")
    asked = np.unique(as_int64([ids] if isinstance(ids, int | np.integer) else ids))
    with folder.changing() as now:
        shards, missing = [], asked
        for number, shard in enumerate(now.shards):
            rows = folder.rows_in(shard, asked)
            missing = np.setdiff1d(missing, asked[rows >= 0], assume_unique=True)
            shards.append((number, shard, rows[rows >= 0]))
        if len(missing):
            raise KeyError(f"id {int(missing[0])} is not in the collection")
        if not len(asked):
            return
        kept = []
        for number, shard, rows in shards:
            gone = shard.removed_rows + len(rows)
            if not len(rows):
                kept.append(shard)
            elif gone < shard.rows:
                removed = np.zeros(shard.rows, np.bool_)
                live = folder.shard(shard).live
                removed[:] = False if live is None else ~live
                removed[rows] = True
                name = f"removed-{now.generation + 1:08d}-{number:08d}.npy"
                write_removed(folder.path / name, removed)
                kept.append(shard.without(name, gone))
        folder.replace(now.changed(shards=Grown(kept)))


def compact(folder: Folder, texts_of: TextIds, shard_bytes: int) -> None:
    """Join small files, and drop rows that were removed."""
    shard_bytes = min(as_whole(shard_bytes, "shard_bytes"), 2**63)
    with folder.changing() as now:
        shards, next_file = [], now.next_file
        row_bytes = sum(folder.sizes().values()) / max(sum(shard.rows for shard in now.shards), 1)
        for group in _groups(now.shards, shard_bytes / max(row_bytes, 1)):
            if len(group) == 1 and group[0].removed is None:
                shards.append(group[0])
                continue
            parts = [folder.shard(shard).kept() for shard in group]
            ids = np.concatenate([part[2] for part in parts])
            order = np.argsort(ids, kind="stable")
            codes = concat([part[0] for part in parts])[order]
            betters = [part[1] for part in parts if part[1] is not None]
            better = concat(betters)[order] if betters else None
            shards.append(Shard.of(next_file, ids[order]))
            folder.write(shards[-1], codes, better, ids[order])
            next_file += 1
        joined = texts_of.joined(replace(now, shards=Grown(shards), next_file=next_file))
        if joined != now:
            folder.replace(joined.changed())


def _named(folder: Folder, now: Manifest, count: int, ids: ArrayLike | None) -> NDArray[np.int64]:
    """Return the ids of `count` new rows, none of which is taken."""
    if ids is None:
        if now.next_id + count >= 2**63:
            raise ValueError(
                f"no whole numbers are left after id {now.next_id - 1}: give the new rows numbers as ids, or put rows "
                "that have texts as ids into a collection without that one"
            )
        return np.arange(now.next_id, now.next_id + count, dtype=np.int64)
    named = as_ids(ids, count)
    least, greatest = int(named.min()), int(named.max())
    for shard in now.shards:
        if shard.greatest < least or greatest < shard.least:
            continue
        taken = named[folder.rows_in(shard, named) >= 0]
        if len(taken):
            raise ValueError(f"id {int(taken[0])} is in the collection already")
    return named


def _groups(shards: Sequence[Shard], most_rows: float) -> list[list[Shard]]:
    """Return neighbouring shards in groups, of which each becomes one of about `most_rows` rows."""
    groups: list[list[Shard]] = []
    rows = 0  # of the last group: to add them up again for each file takes long where files are many
    for shard in shards:
        if groups and rows + shard.live <= most_rows:
            groups[-1].append(shard)
            rows += shard.live
        else:
            groups.append([shard])
            rows = shard.live
    return groups
