"""The course of one ``embed``: texts to batches, batches to answers, answers to one matrix. No I/O of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from ..embeddings import Embeddings
from ..errors import DecodeError, ServiceError, TransportError
from ..wire import EmbeddingResponse
from ..words import shown
from .order import Order, is_too_large, merge
from .split import Batch, as_texts, halves, recast, split_texts
from .transport import Transport

Progress = Callable[[int, int | None], object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch, or of a part of one: an answer, or an error."""

    batch: Batch
    answer: EmbeddingResponse | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """What was answered before ``embed`` failed.

    Pass it back as ``embed(texts, ..., resume=partial)`` with the same texts and the same wishes: requests that were
    answered are recognised by their content and not sent again.

    Attributes
    ----------
    failed : tuple of range
        Texts of the requests that failed, by position, and of answers that have other dimensions than most.
    answered : tuple of (range, EmbeddingResponse)
        Texts that were answered, by position, with their embeddings.
    """

    failed: tuple[range, ...]
    answered: tuple[tuple[range, EmbeddingResponse], ...] = field(repr=False)
    known: Mapping[bytes, EmbeddingResponse] = field(repr=False)


class _UnderWay(Protocol):
    """A request that was sent: an asyncio task, or the future of one."""

    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def cancel(self) -> bool: ...
    def result(self) -> list[Outcome]: ...


Sent = TypeVar("Sent", bound=_UnderWay)


class Job:
    """One call of ``embed``: says what to send, and keeps what came of it.

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
        texts = as_texts(texts)
        if not (resume is None or isinstance(resume, Partial)):
            raise TypeError(f"resume is error.partial of a call that failed, not {shown(resume)}")
        self.order = order
        self.under_way: dict[Any, Batch] = {}
        self._texts = texts
        self._total = len(texts) if isinstance(texts, Sized) else None
        self._progress = progress
        self._known = dict(resume.known) if resume is not None else {}
        self._answers: dict[int, tuple[range, EmbeddingResponse]] = {}  # by the first of their rows
        self._failures: list[Outcome] = []
        self._forgotten: list[range] = []  # texts whose answers do not go together with the others
        self._interruption: Exception | None = None
        self._done = 0
        self._noted = False
        self._models_asked_for = False

    def halted(self) -> bool:
        """Whether the call has failed: nothing new is sent or tried again."""
        return bool(self._failures) or self._interruption is not None

    def recall(self, batch: Batch) -> EmbeddingResponse | None:
        """Return the answer to the very same request, if there has been one."""
        return self._known.get(batch.digest)

    def remember(self, batch: Batch, answer: EmbeddingResponse) -> None:
        """Keep an answer at the moment that it comes: whatever happens next, it has been paid for."""
        self._known[batch.digest] = answer

    def in_lists(self, batch: Batch) -> Batch:
        """Return the request that asks for lists, as all do from here on."""
        self.order = self.order.with_lists()
        return recast(batch, self.order)

    def wants_models(self, error: Exception) -> bool:
        """Whether to ask the service for its models, once: it says that it has not the one asked for."""
        wanted = not self._models_asked_for and self.order.lacks_model(error)
        self._models_asked_for |= wanted
        return wanted

    def course(self, start: Callable[[Batch], Sent]) -> Generator[Collection[Sent], None, None]:
        """Send batch after batch, and yield what is under way whenever some of it has to end first.

        Texts are taken only as they are sent. After a failure what is under way is waited for, since it may have been
        paid for. Closed early, it keeps what has ended and cancels the rest, which stays in `under_way`.

        Parameters
        ----------
        start : callable
            Sends a batch, and returns what will have its outcomes.
        """
        batches = split_texts(self._texts, self.order)
        try:
            while not self.halted() and (batch := self._next(batches)) is not None:
                if (answer := self.recall(batch)) is not None:
                    self._accept(batch, answer)
                    self._tell([self._done])
                    continue
                while len(self.under_way) == self.order.settings.concurrency:
                    yield self.under_way.keys()
                    self._tell(self.collect())
                if not self.halted():
                    self.under_way[start(batch)] = batch
            while self.under_way:
                yield self.under_way.keys()
                self._tell(self.collect())
        finally:
            self.collect()
            for sent in self.under_way:
                sent.cancel()

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        try:
            return next(batches, None)
        except Exception as error:
            self._interruption = error  # the caller's own: raised when nothing is under way any more
            return None

    def collect(self) -> list[int]:
        """Take the outcomes of what has ended, and return the numbers of texts answered after each of them."""
        steps: list[int] = []
        for sent in [sent for sent in self.under_way if sent.done()]:
            batch = self.under_way.pop(sent)
            if sent.cancelled():
                closed = TransportError("the client was closed while it was embedding")
                self._failures.append(Outcome(batch, error=closed))
                continue
            for outcome in sent.result():
                if outcome.answer is None:
                    self._failures.append(outcome)
                else:
                    self._accept(outcome.batch, outcome.answer)
                    steps.append(self._done)
        return steps

    def _accept(self, batch: Batch, answer: EmbeddingResponse) -> None:
        # The texts are not kept: a generator of any number of them costs memory for what is under way only.
        self._answers[batch.rows.start] = batch.rows, answer
        self._done += len(batch.rows)
        if not self._noted:
            self._noted = self.order.note_encoding(answer)

    def _tell(self, steps: Iterable[int]) -> None:
        for done in steps:
            if self._progress is None:
                return
            try:
                self._progress(done, self._total)
            except Exception as error:
                self._interruption, self._progress = self._interruption or error, None

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Put ``partial`` on whatever leaves the block, interruptions and cancellations included."""
        try:
            yield
        except BaseException as error:
            partial = self._partial()
            with suppress(Exception):  # an exception of the caller's own may take no attributes
                error.partial = partial  # type: ignore[attr-defined]
                if partial.answered:
                    remedy = "pass resume=error.partial to embed only the others"
                    count = sum(len(rows) for rows, _ in partial.answered)
                    error.add_note(f"{count} texts were answered: {remedy}")
            raise

    def result(self) -> EmbeddingResponse:
        """Return all the embeddings in the order of their texts.

        Raises
        ------
        Exception
            The first failure.
        """
        if self._failures:
            first = self._failures[0]
            assert first.error is not None
            start = first.batch.rows.start
            first.error.add_note(f"while embedding texts {start} to {first.batch.rows.stop - 1}")
            blank = next((row for row, text in enumerate(first.batch.texts, start) if not text.strip()), None)
            if blank is not None and getattr(first.error, "status", None) in (400, 422):
                first.error.add_note(f"text {blank} is blank, which some services refuse")
            raise first.error
        if self._interruption is not None:
            raise self._interruption
        if not self._answers:
            return self._nothing()
        ordered = self._ordered()
        try:
            return merge([answer for _, answer in ordered], [rows.start for rows, _ in ordered])
        except DecodeError:
            self._forget_odd(ordered)
            raise

    def _forget_odd(self, ordered: list[tuple[range, EmbeddingResponse]]) -> None:
        """Keep the answers whose rows are as most are, so that resuming asks for the others again."""
        counts: Counter[object] = Counter()
        for rows, answer in ordered:
            counts[answer.embeddings.meaning] += len(rows)
        usual = counts.most_common(1)[0][0]
        odd = [(rows, answer) for rows, answer in ordered if answer.embeddings.meaning != usual]
        for rows, answer in odd:
            del self._answers[rows.start]
            self._known = {digest: known for digest, known in self._known.items() if known is not answer}
        self._forgotten = [rows for rows, _ in odd]

    def _ordered(self) -> list[tuple[range, EmbeddingResponse]]:
        return [self._answers[start] for start in sorted(self._answers)]

    def _partial(self) -> Partial:
        failed = [*self._forgotten, *(outcome.batch.rows for outcome in self._failures)]
        return Partial(
            failed=tuple(sorted(failed, key=lambda rows: rows.start)),
            answered=tuple(self._ordered()),
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
    if transport.lists_only and not job.order.explicit_encoding:
        batch = job.in_lists(batch)
    if (known := job.recall(batch)) is not None:
        return [Outcome(batch, known)]
    try:
        answer = await transport.post(
            batch.body,
            lambda reply: job.order.interpret(reply, count),
            cap=job.order.cap(count),
            halted=job.halted,
        )
        job.remember(batch, answer)
        return [Outcome(batch, answer)]
    except Exception as error:
        if job.order.refuses_base64(error) and job.in_lists(batch).body != batch.body:
            transport.fall_back_to_lists()
            return await send(transport, job, batch)
        if count == 1 or not is_too_large(error):
            return [Outcome(batch, error=await _with_models(error, transport, job))]
    outcomes: list[Outcome] = []
    for half in halves(batch, job.order):
        outcomes += await send(transport, job, half)
        if outcomes[-1].error is not None:
            break
    return outcomes


async def _with_models(error: Exception, transport: Transport, job: Job) -> Exception:
    if isinstance(error, ServiceError) and job.wants_models(error):
        return job.order.with_models(error, await transport.models())
    return error
