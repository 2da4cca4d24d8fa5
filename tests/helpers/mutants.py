"""Lines broken on purpose: every small change that a mutant of a Python or C file may be."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple


class Mutant(NamedTuple):
    """A file with the bytes [start, end) replaced; `lines` are those of the statement up to here."""

    path: str
    lines: range
    start: int
    end: int
    new: str
    what: str


# Python: nodes of the syntax tree, each replaced where it stands

SWAPS = "Lt LtE, Gt GtE, Eq NotEq, Is IsNot, In NotIn, And Or, Add Sub, LShift RShift, BitAnd BitOr"
ONE_WAY = "Mult Add, Div Mult, FloorDiv Mult, Mod Mult, Pow Mult, BitXor BitOr"
OTHER = {getattr(ast, a): getattr(ast, b) for a, b in map(str.split, f"{SWAPS}, {ONE_WAY}".split(", "))}
OTHER |= {getattr(ast, b): getattr(ast, a) for a, b in map(str.split, SWAPS.split(", "))}


def other_constants(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1]
    return [value + type(value)(b"X" if isinstance(value, bytes) else "X")] if isinstance(value, str | bytes) else []


def variants(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Return what may stand in place of a node."""

    def changed(what: str, **fields: Any) -> tuple[ast.AST, str]:
        other = copy.copy(node)
        other.__dict__.update(fields)
        return other, what

    match node:
        case ast.Compare(ops=[op]) if type(op) in OTHER:
            yield changed("comparison", ops=[OTHER[type(op)]()])
        case ast.BinOp(op=op) | ast.BoolOp(op=op) | ast.AugAssign(op=op) if type(op) in OTHER:
            yield changed("operator", op=OTHER[type(op)]())
        case ast.UnaryOp(operand=operand):
            yield operand, "sign or not dropped"
        case ast.IfExp(test=test) | ast.If(test=test) | ast.While(test=test):
            yield changed("condition", test=ast.UnaryOp(ast.Not(), test))
        case ast.Constant(value=value):
            yield from (changed("constant", value=other) for other in other_constants(value))
        case ast.Call(args=given, keywords=keywords):
            if len(given) > 1 and not any(isinstance(each, ast.Starred) for each in given[:2]):
                yield changed("arguments swapped", args=[given[1], given[0], *given[2:]])
            for at in range(len(keywords)):
                yield changed("keyword dropped", keywords=keywords[:at] + keywords[at + 1 :])
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass(), "statement dropped"
        case ast.Return(value=value) if value is not None and getattr(value, "value", "") is not None:
            yield ast.Return(ast.Constant(None)), "return of nothing"


def python_mutants(path: str, text: str) -> Iterator[Mutant]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))

    def within(node: ast.AST, first: int) -> Iterator[Mutant]:
        match node:  # left alone: text that only people read, what only type checkers read, names
            case ast.JoinedStr() | ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None) | ast.Import():
                return
            case ast.Assign(targets=[ast.Name(id="__slots__" | "__all__")]) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
        first = node.lineno if isinstance(node, ast.stmt) else first
        if isinstance(node, ast.expr | ast.stmt):
            for other, what in variants(node):
                old, new = (node.test, other.test) if isinstance(node, ast.If | ast.While) else (node, other)
                written = ast.unparse(ast.fix_missing_locations(new))
                written = f"({written})" if isinstance(new, ast.expr) and not isinstance(new, ast.Constant) else written
                start, end = starts[old.lineno - 1] + old.col_offset, starts[old.end_lineno - 1] + old.end_col_offset
                yield Mutant(path, range(first, old.lineno + 1), start, end, written, what)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "bases"):
                continue
            for child in value if isinstance(value, list) else [value]:
                told = isinstance(node, ast.Call) and isinstance(child, ast.Constant) and isinstance(child.value, str)
                if isinstance(child, ast.AST) and not (told and ast.unparse(node.func).endswith(("Error", "cast"))):
                    yield from within(child, first)

    yield from within(ast.parse(text), 0)


# C: tokens between spaces, numbers, statements of a line

HIDDEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)
PAIRS = "< <= > >= == != + - & | && || << >> += -= |= &="
TOKENS = dict(zip(PAIRS.split()[::2], PAIRS.split()[1::2], strict=True))
TOKENS |= {new: old for old, new in TOKENS.items()} | {"*": "+", "/": "*", "^": "|"}
TOKEN = re.compile(r"(?<= )(" + "|".join(map(re.escape, sorted(TOKENS, key=len, reverse=True))) + r")(?= )")
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
STATEMENT = re.compile(
    r"^ +((?:[\w.\[\]>*-]+ [-+|&^]?= [^;{}]*|\w+\([^;{}]*\)|break|continue|goto \w+|\w+\+\+);)$", re.M
)


def c_mutants(path: str, text: str) -> Iterator[Mutant]:
    seen = HIDDEN.sub(lambda hidden: re.sub(r"[^\n]", "\0", hidden[0]), text)
    for pattern, what in ((TOKEN, "operator"), (NUMBER, "constant"), (STATEMENT, "statement dropped")):
        for hit in pattern.finditer(seen):
            start, end = hit.span(hit.lastindex or 0)
            new = TOKENS.get(seen[start:end]) or (str(int(seen[start:end]) + 1) if what == "constant" else ";")
            if seen.rfind("{\n", 0, start) > seen.rfind("\n}", 0, start):  # inside a function
                line = text.count("\n", 0, start) + 1
                yield Mutant(
                    path, range(line, line + 1), len(text[:start].encode()), len(text[:end].encode()), new, what
                )
