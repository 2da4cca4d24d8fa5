"""The course of one ``embed``: texts to batches, batches to answers, answers to one matrix. No I/O of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .client_order import Order, is_too_large, merge
from .client_transport import Transport
from .embeddings import Embeddings
from .errors import EmbcodecError
from .response import EmbeddingResponse

Progress = Callable[[int, int | None], object]
_BYTES_A_TOKEN = 3  # cautious: most text has four or more; a service that counts otherwise makes the batch be halved


@dataclass(frozen=True, slots=True)
class Batch:
    """The texts of one request; `rows` is where they stand among all."""

    rows: range
    texts: Sequence[str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What tells this request from every other: a hash of its body."""
        return hashlib.blake2b(self.body, digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch, or of a part of one: an answer, or an error."""

    batch: Batch
    answer: EmbeddingResponse | None = None
    error: EmbcodecError | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """What was answered before ``embed`` failed.

    Pass it back as ``embed(texts, ..., resume=partial)`` with the same texts and the same wishes: requests that were
    answered are recognised by their content and not sent again.

    Attributes
    ----------
    failed : tuple of range
        Texts of the requests that failed, by position.
    answered : tuple of (range, EmbeddingResponse)
        Texts that were answered, by position, with their embeddings.
    """

    failed: tuple[range, ...]
    answered: tuple[tuple[range, EmbeddingResponse], ...] = field(repr=False)
    known: Mapping[bytes, EmbeddingResponse] = field(repr=False)


def split_texts(texts: Iterable[str], order: Order) -> Iterator[Batch]:
    """Cut `texts` into requests within the profile's limits of number and (estimated) tokens.

    The cut depends on the texts alone, so that the same texts give the same requests again.

    Raises
    ------
    TypeError, ValueError
        For what is no text, or no Unicode text; the position is named.
    """
    profile = order.settings.profile
    budget = float("inf") if profile.max_tokens is None else profile.max_tokens
    start, tokens, held = 0, 0, list[str]()
    for position, text in enumerate(texts):
        cost = 1 + _utf8_length(text, position) // _BYTES_A_TOKEN
        if held and (len(held) == profile.max_inputs or tokens + cost > budget):
            yield _make_batch(start, held, order)
            start, tokens, held = position, 0, []
        held.append(text)
        tokens += cost
    if held:
        yield _make_batch(start, held, order)


def _utf8_length(text: Any, position: int) -> int:
    if not isinstance(text, str):
        raise TypeError(f"text {position} is {type(text).__name__}, not str")
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"text {position} has a lone surrogate: it is no Unicode text") from None


def _make_batch(start: int, texts: Sequence[str], order: Order) -> Batch:
    return Batch(range(start, start + len(texts)), texts, order.body(texts))


class _Finished(Protocol):
    def result(self) -> list[Outcome]: ...


class Job:
    """One call of ``embed``: says what to do next, and keeps what came of it.

    Parameters
    ----------
    texts : str or iterable of str
    order : Order
    progress : callable, optional
        Called with the number of texts answered and the number of all (None where it is not known yet).
    resume : Partial, optional
    """

    def __init__(
        self, texts: str | Iterable[str], order: Order, progress: Progress | None, resume: Partial | None
    ) -> None:
        if isinstance(texts, str):
            texts = (texts,)
        self.order = order
        self._texts = texts
        self._total = len(texts) if isinstance(texts, Sized) else None
        self._progress = progress
        self._known = dict(resume.known) if resume is not None else {}
        self._answers: dict[int, tuple[Batch, EmbeddingResponse]] = {}
        self._failures: list[Outcome] = []
        self._interruption: Exception | None = None
        self._in_flight = 0
        self._done = 0
        self._noted = False

    def halted(self) -> bool:
        """Whether the call has failed: nothing new is sent or tried again."""
        return bool(self._failures) or self._interruption is not None

    def recall(self, batch: Batch) -> EmbeddingResponse | None:
        """Return the answer to the very same request, if there has been one."""
        return self._known.get(batch.digest)

    def schedule(self) -> Iterator[Batch | None]:
        """Say what to do: send a batch, or (None) wait until at least one has an outcome.

        Texts are taken only as they are sent. After a failure what is under way is waited for, since it may have been
        paid for.
        """
        batches = split_texts(self._texts, self.order)
        while not self.halted():
            try:
                batch = next(batches, None)
            except Exception as error:
                self._interruption = error  # the caller's own: raised when nothing is under way any more
                break
            if batch is None:
                break
            if (answer := self.recall(batch)) is not None:
                self._accept(batch, answer)
                continue
            while self._in_flight == self.order.settings.concurrency:
                yield None
            if not self.halted():
                self._in_flight += 1
                yield batch
        while self._in_flight:
            yield None

    def collect(self, finished: Collection[_Finished]) -> None:
        """Take the outcomes of batches that were sent."""
        self._in_flight -= len(finished)
        for outcome in (outcome for one in finished for outcome in one.result()):
            if outcome.answer is None:
                self._failures.append(outcome)
            else:
                self._accept(outcome.batch, outcome.answer)

    def _accept(self, batch: Batch, answer: EmbeddingResponse) -> None:
        # The texts are not kept: a generator of any number of them costs memory for what is under way only.
        self._answers[batch.rows.start] = Batch(batch.rows, (), b""), answer
        self._known[batch.digest] = answer
        self._done += len(batch.rows)
        if not self._noted:
            self._noted = self.order.note_encoding(answer)
        if self._progress is not None:
            self._progress(self._done, self._total)

    def result(self) -> EmbeddingResponse:
        """Return all the embeddings in the order of their texts.

        Raises
        ------
        Exception
            The first failure, with ``partial``.
        """
        ordered = [self._answers[start] for start in sorted(self._answers)]
        if self.halted():
            raise self._failure(ordered)
        if not ordered:
            return self._nothing()
        try:
            return merge([answer for _, answer in ordered], [batch.rows.start for batch, _ in ordered])
        except EmbcodecError as error:
            error.partial = self._partial(ordered)
            raise

    def _failure(self, ordered: list[tuple[Batch, EmbeddingResponse]]) -> Exception:
        error: Exception
        if self._failures:
            first = self._failures[0]
            assert first.error is not None
            error = first.error
            rows = first.batch.rows
            error.add_note(f"while embedding texts {rows.start} to {rows.stop - 1}")
        else:
            assert self._interruption is not None
            error = self._interruption
        if self._done:
            error.add_note(f"{self._done} texts were answered: pass resume=error.partial to embed only the others")
        error.partial = self._partial(ordered)  # type: ignore[attr-defined]
        return error

    def _partial(self, ordered: list[tuple[Batch, EmbeddingResponse]]) -> Partial:
        return Partial(
            failed=tuple(sorted((outcome.batch.rows for outcome in self._failures), key=lambda rows: rows.start)),
            answered=tuple((batch.rows, answer) for batch, answer in ordered),
            known=self._known,
        )

    def _nothing(self) -> EmbeddingResponse:
        order = self.order
        dimension = order.output_dimension or 0
        width = order.output_dtype.row_width(dimension)
        empty = np.empty((0, width), order.output_dtype.numpy_dtype)
        profile = order.settings.profile
        embeddings = Embeddings(
            empty, order.output_dtype, dimension, signed_bytes=profile.signed_bytes, bit_order=profile.bit_order
        )
        return EmbeddingResponse(embeddings, order.model, encoding_format=order.encoding_format)


async def send(transport: Transport, job: Job, batch: Batch) -> list[Outcome]:
    """Send a batch, in halves where the service finds it too large, and return what became of its parts."""
    count = len(batch.texts)
    if (known := job.recall(batch)) is not None:
        return [Outcome(batch, known)]
    try:
        answer = await transport.post(
            batch.body,
            lambda reply: job.order.interpret(reply, count),
            cap=job.order.cap(count),
            halted=job.halted,
        )
        return [Outcome(batch, answer)]
    except EmbcodecError as error:
        if count == 1 or not is_too_large(error):
            return [Outcome(batch, error=error)]
    outcomes: list[Outcome] = []
    start, middle = batch.rows.start, count // 2
    for half in (
        _make_batch(start, batch.texts[:middle], job.order),
        _make_batch(start + middle, batch.texts[middle:], job.order),
    ):
        outcomes += await send(transport, job, half)
        if outcomes[-1].error is not None:
            break
    return outcomes
