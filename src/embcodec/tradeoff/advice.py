"""What a study comes to, in words: the recommendation, its price, its risk, and what else may be done."""

from __future__ import annotations

from ..words import counted
from .findings import Findings
from .intervals import FEWEST_QUERIES, queries_for
from .measurement import Measurement
from .stores import ANY, float16_of
from .words import few_queries, figures, listed, next_step, percents, share


def in_brief(found: Findings, target: float, store: str | None = None) -> dict[str, str]:
    """Return the recommendation, its price and its risk, a line each; the first alone where there is none."""
    whole, best = found.whole, found.recommend(target, store=store)
    if found.queries < FEWEST_QUERIES:
        return {"recommendation": _too_few(found)}
    asked = f"{found.queries:,} queries" + (" held out of the vectors" if found.held_out else "")
    if best is None or best.total_bytes >= whole.total_bytes:
        nearest = _nearest(found, store)
        near = "" if nearest is None else f"; {_name(nearest, found)} comes nearest to it, and finds {_finds(nearest)}"
        return {
            "recommendation": f"{_nothing(found, target, store)}: keep float{_scanned(found, target, store)}.",
            "price": f"{whole.total_bytes:,.0f} bytes a vector, {_rate(whole)}.{_halved(found, store)}",
            "risk": f"None for what is found; by {asked} nothing smaller is sure to do{near}.",
        }
    slower = f"{_rate(best)} (float: {figures(whole.one_per_second)})"
    return {
        "recommendation": (
            f"Store {_name(best, found)}: {best.total_bytes:,.0f} bytes a vector instead of {whole.total_bytes:,.0f}, "
            f"{figures(whole.total_bytes / best.total_bytes, 2)} times less; {_where(best)}."
        ),
        "price": (
            f"{_finds(best)} of float's {found.k} nearest are found, where {share(target)} were asked for; {slower}."
        ),
        "risk": (
            f"Measured by {asked} on {found.rows:,} vectors: fewer than {best.overlap.rounded()[0]:.1%} are found only "
            f"if these queries flattered the code as one set in 40 does{_also(found)}."
        ),
    }


def advise(found: Findings, target: float, store: str | None = None) -> list[str]:
    """Return the recommendation in sentences."""
    whole = found.whole
    best = found.recommend(target, store=store)
    lean = found.recommend(target, rescoring_on_disk=True, store=store)
    if found.queries < FEWEST_QUERIES:
        return [_too_few(found)]
    sentences = []
    if best is None or best.total_bytes >= whole.total_bytes:
        sentences.append(f"{_nothing(found, target, store)} of float's {found.k} nearest for sure: keep float.")
        needed, nearest = queries_for(target, found.k), _nearest(found, store)
        if needed is not None and needed > found.queries:
            sentences.append(
                f"By {found.queries:,} queries no code could show that it does, not one that loses nothing: ask "
                f"{needed:,} or more."
            )
        if nearest is not None:
            sentences.append(
                f"Nearest to it comes {_name(nearest, found)}, {nearest.total_bytes:,.0f} bytes a vector: "
                f"{_finds(nearest)} are found."
            )
        sentences += [halved.strip()] if (halved := _halved(found, store)) else []
    else:
        sentences.append(
            f"Store {_name(best, found)}: {best.total_bytes:,.0f} bytes a vector instead of {whole.total_bytes:,.0f} "
            f"({figures(whole.total_bytes / best.total_bytes, 2)} times less), and {_finds(best)} of float's {found.k} "
            f"nearest are found; {share(target)} were asked for."
        )
        sentences += _stores(found, best, target)
    if lean is not None and lean.rescore_bytes and (best is None or lean.code_bytes < best.total_bytes):
        sentences.append(
            f"To hold less in memory, keep {lean.rescored_with} rows for rescoring in a mapped file and scan "
            f"{_name(lean, found)}: {lean.code_bytes:,.0f} bytes a vector in memory "
            f"({figures(whole.total_bytes / lean.code_bytes, 2)} times less), {lean.rescore_bytes:,.0f} on disk, and "
            f"{_finds(lean)} are found."
        )
    kept = [
        f"{_name(chosen, found)} keeps {percents(chosen.ndcg_kept)}"
        for chosen in dict.fromkeys((best, lean))
        if chosen is not None and chosen.ndcg_kept is not None and chosen.label != whole.label
    ]
    if kept:
        sentences.append(f"Of float's nDCG@{found.k} on the known answers, {' and '.join(kept)}.")
    return sentences + _cut(found, best, target)


def beside_advice(found: Findings) -> list[str]:
    """Return the warnings that :func:`advise` and :func:`in_brief` do not give themselves."""
    return [text for text in found.warnings if text != few_queries(found.queries, found.held_out)]


def _stores(found: Findings, best: Measurement, target: float) -> list[str]:
    """Say which stores take what is recommended, or what they take instead."""
    if best.stores:
        return [f"As they are, these codes are taken and searched by {listed(best.stores)}{_compared(best)}."]
    words = f"No store takes {_name(best, found)} as it is: embcodec's FlatIndex and Collection search it."
    taken = found.recommend(target, store=ANY)
    if taken is None or taken.total_bytes >= found.whole.total_bytes:
        return [f"{words} Of what stores take, nothing below float finds {share(target)} for sure."]
    return [
        f"{words} Of what stores take, {_name(taken, found)} has the fewest bytes that do, {taken.total_bytes:,.0f}, "
        f"and finds {_finds(taken)}: {listed(taken.stores)}{_compared(taken)}."
    ]


def _cut(found: Findings, best: Measurement | None, target: float) -> list[str]:
    short = next(
        (m for m in found.measurements if m.label == found.whole.label and m.dimension < found.dimension), None
    )
    if best is None or short is None:
        return []
    if short.overlap.low >= target:
        verdict = "Cutting dimensions works too"
    elif short.overlap.high < target:
        verdict = "Cutting dimensions does not do"
    else:
        verdict = "Cutting dimensions may do, which so many queries cannot tell"
    return [
        f"{verdict}: float of {short.dimension} dimensions takes {short.total_bytes:,.0f} bytes a vector and finds "
        f"{_finds(short)}."
    ]


def _too_few(found: Findings) -> str:
    few = counted(found.queries, "query is", "queries are")
    return f"No recommendation: {few} too few to make one by; {next_step(found.held_out)}."


def _nothing(found: Findings, target: float, store: str | None) -> str:
    whose = "" if store is None else " that stores take" if store == ANY else f" that {store} takes"
    return f"Nothing smaller{whose} finds {share(target)}"


def _scanned(found: Findings, target: float, store: str | None) -> str:
    """Say how floats are searched with less in memory, if they are."""
    lean = found.recommend(target, rescoring_on_disk=True, store=store)
    if lean is None or not lean.rescore_bytes:
        return ""
    return f", and hold {lean.code_bytes:,.0f} bytes a vector in memory by {_name(lean, found)}"


def _halved(found: Findings, store: str | None) -> str:
    """Say who keeps floats in half the bytes, and what is found then, where it was measured."""
    takers = float16_of(store)
    if takers is None:
        return ""
    words = (
        f" As float16, which {takers} {'take' if store in (None, ANY) else 'takes'}, they are "
        f"{found.whole.total_bytes / 2:,.0f} bytes"
    )
    half = next((m for m in found.measurements if (m.label, m.dimension) == ("float16", found.dimension)), None)
    if half is not None:
        return f"{words}, and {_finds(half)} are found."
    return f"{words}: that was not measured, but rounds rows of unit length so little that nearly all is found."


def _nearest(found: Findings, store: str | None) -> Measurement | None:
    """Return what is smaller than float and surest to find most."""
    smaller = [m for m in found.held_by(store) if m.total_bytes < found.whole.total_bytes]
    return max(smaller, key=lambda m: (m.overlap.low, -m.total_bytes), default=None)


def _where(best: Measurement) -> str:
    if not best.stores:
        return "no store takes it, embcodec searches it"
    return f"{listed(best.stores)} take it as it is{_compared(best)}"


def _compared(chosen: Measurement) -> str:
    """Say by what stores have to compare codes, where that is not what floats are compared by."""
    if chosen.store_metric != "euclidean":
        return ""
    return ", by Euclidean distance alone: cosine and dot product of the codes themselves are in another order"


def _also(found: Findings) -> str:
    count = len(found.warnings)
    return f"; {'one more doubt is' if count == 1 else f'{count} more doubts are'} in the warnings" if count else ""


def _rate(found: Measurement) -> str:
    return f"{figures(found.one_per_second)} queries a second one by one"


def _finds(chosen: Measurement) -> str:
    return percents(chosen.overlap)


def _name(chosen: Measurement, found: Findings) -> str:
    size = f" of {chosen.dimension} dimensions" if chosen.dimension != found.dimension else ""
    kind = "low-bit " if chosen.recipe is not None and chosen.recipe.quantizer is not None else ""
    return f"{kind}\u201c{chosen.label}\u201d{size}"
