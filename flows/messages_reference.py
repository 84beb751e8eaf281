"""Every message that an error may have, read from the sources: docs/messages.md is made of it.

A row per place that makes an error: its type, what it says, what it says to do. Values that are only known later stand as "…".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sync import errors

_ROOT = Path(__file__).parent.parent
_PACKAGES = ("sync", "adapters", "expectations", "tasks", "flows")
_LATER = "…"
_TYPES = tuple(name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, errors.MarketsyncError))


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """One message. `error` is the type of sync.errors that it comes with."""

    error: str
    what: str
    todo: str


def messages() -> tuple[Message, ...]:
    """All that have words of their own, by type in the order of sync.errors, then by text."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for package in _PACKAGES for path in sorted((_ROOT / package).rglob("*.py"))]
    makers = _makers(trees)
    found = {message for tree in trees for message in _in_tree(tree, makers) if message.what.strip(_LATER + " ():;,")}
    return tuple(sorted(found, key=lambda each: (_TYPES.index(each.error), each.what.lower(), each.todo)))


def messages_tables() -> str:
    """One table per type of error, in Markdown."""
    parts: list[str] = []
    found = messages()
    for error in _TYPES:
        rows = [each for each in found if each.error == error]
        if rows:
            parts += [f"## {error}", "", "| it says | what to do |", "|---|---|"]
            parts += [f"| {_cell(each.what)} | {_cell(each.todo) or 'the message itself says it, or see the handbook'} |" for each in rows]
            parts.append("")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return re.sub("…[…\\W]*…", _LATER, " ".join(text.split())).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def _makers(trees: list[ast.Module]) -> Mapping[str, str]:
    """Name of a class or function → the type of error that it makes: the types themselves, what is derived from them, and functions
    that are annotated to return one."""
    makers = {name: name for name in _TYPES}
    for node in [node for tree in trees for node in ast.walk(tree)]:
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in makers]
            for base in bases:
                makers.setdefault(node.name, makers[base])
        elif isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name) and node.returns.id in _TYPES:
            makers.setdefault(node.name, node.returns.id)
    return makers


def _in_tree(tree: ast.Module, makers: Mapping[str, str]) -> Iterator[Message]:
    outside = _texts(tree.body)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        texts = {**outside, **_texts(list(ast.walk(function)))}
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in makers and call.args:
                todo = next((keyword.value for keyword in call.keywords if keyword.arg == "todo"), None)
                for what in _said(call.args[0], texts):
                    yield Message(makers[call.func.id], what, " / ".join(_said(todo, texts)) if todo else "")


def _texts(nodes: list[ast.stmt] | list[ast.AST]) -> dict[str, ast.expr]:
    """Texts that have a name: the last one of each."""
    named: dict[str, ast.expr] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            named[node.targets[0].id] = node.value
    return named


def _said(node: ast.expr | None, texts: Mapping[str, ast.expr], depth: int = 0) -> list[str]:
    """What this expression may say, values left out. Nothing where it says nothing by itself."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else _LATER for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*_said(node.body, texts, depth), *_said(node.orelse, texts, depth)]
    if isinstance(node, ast.Name) and node.id in texts and depth < 3:
        return _said(texts[node.id], texts, depth + 1)
    return []
