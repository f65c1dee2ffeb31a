"""A prompt's own sections as modules, for users to edit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..modules import ModuleKind, PromptModule, When
from ..tokens import count_text
from .coupling import Coupling, couple
from .outline import Outline, outline
from .sections import Section

SUMMARY_CHARS = 90
TELLING_CHARS = 10
"""A shorter first sentence says too little ("User:")."""
ID_WORDS = 5
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[:;])\n|\n\n")
_MARKUP = re.compile(r"[*`#]+|(?<!\w)_+|_+(?!\w)|</?[\w:.-]+[^<>]*>")
_TABLE = re.compile(r"^[ \t]*\|[ \t:|-]+\|[ \t]*$|[ \t]*\|[ \t]*", re.MULTILINE)
_MARKER = re.compile(r"^(?:[-+•]|\d{1,3}[.)]|\d{1,3}(?:\.\d{1,3})+[.)]?)\s+")
_CELLS = re.compile(r"(?:\s*·)+\s*")
_EXAMPLE = re.compile(r"\b(?:examples?|beispiele?|ejemplos?|exemples?)\b", re.IGNORECASE)

HEADER = """\
# The prompt's modules, in its order. Where a system prompt holds a module's text, the module decides on it:
#   when: {always: true}                  always sent
#   when: {intents: [], tools: [], words: []}   sent if any of them holds (kinds of tasks as `tokenopt classify` tells)
#   no when                               relevance to the question decides
#   requires, conflicts: ids; priority: within the budget, higher ones first; kind: rules, reference or examples
# `summary` and `tokens` are for you to read. Use it: `prompt: {modules: FILE}`; check it: `tokenopt prompt lint FILE`.
"""


def split_prompt(text: str, tools: frozenset[str] = frozenset()) -> tuple[PromptModule, ...]:
    """The modules of a prompt; their texts joined are *text*. Those about one of *tools* come with it."""
    found = outline([text])
    coupling = couple(found, tools)
    ids = _ids(found)
    texts = _texts(found)
    first = next((i for i in ids if found.profiles[i].blocks), -1)
    return tuple(
        PromptModule(
            id=id,
            summary=_summary(found.sections[i]),
            tokens=count_text(texts[i]),
            under=ids.get(parent) if (parent := found.sections[i].parent) is not None else None,
            text=texts[i],
            kind=_kind(found, i),
            when=_when(found, coupling, i, first),
            requires=tuple(ids[target] for target in _referred(found, i) if target in ids),
        )
        for i, id in ids.items()
    )


def as_yaml(modules: Sequence[PromptModule]) -> str:
    """*modules* as a file for users: what is said of each first, then its text; nothing where it's the default."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    listed = [described(module) for module in modules]
    body = yaml.dump({"modules": listed}, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=10_000)
    return HEADER + body


def described(module: PromptModule) -> dict[str, object]:
    """*module* without its defaults, its text last."""
    values = module.model_dump(mode="json", exclude_defaults=True)
    text = values.pop("text", "")
    return {**values, "text": "\n".join(map(str.rstrip, text.strip("\n").split("\n"))) + "\n"}


def summary(text: str) -> str:
    """The first sentence, or cells of the first row, of *text* in one line."""
    plain = _MARKER.sub("", _TABLE.sub(" · ", _MARKUP.sub("", text)).strip(" ·\n\t"))
    parts = _SENTENCE_END.split(plain)
    line = " ".join(next((part for part in parts if len(part) >= TELLING_CHARS), parts[0]).split())
    return _shortened(_CELLS.sub(" · ", line).strip(" ·"))


def _shortened(line: str) -> str:
    return line if len(line) <= SUMMARY_CHARS else line[: SUMMARY_CHARS - 1].rstrip() + "…"


def _summary(section: Section) -> str:
    """A section's heading, and the first sentence under it."""
    title = section.title if section.heading else ""
    return _shortened(": ".join(filter(None, (title, summary(section.body)))))


def _texts(found: Outline) -> dict[int, str]:
    """The text of each section; a closing tag goes with what stands before it."""
    texts: dict[int, str] = {}
    last = -1
    for i, section in enumerate(found.sections):
        if section.text.strip() and section.kind != "close":
            texts[i], last = section.text, i
        elif last >= 0:
            texts[last] += section.text
    return texts


def _ids(found: Outline) -> dict[int, str]:
    """A short name of its own for each section that says anything."""
    ids: dict[int, str] = {}
    for i, section in enumerate(found.sections):
        if section.kind == "close" or not section.text.strip():
            continue
        words = re.findall(r"[\w.]+", section.title.casefold())[:ID_WORDS] or ["opening" if i == 0 else ""]
        name = "-".join(word.strip(".") for word in words).strip("-") or f"part-{i + 1}"
        taken = sum(other == name or other.startswith(f"{name}~") for other in ids.values())
        ids[i] = f"{name}~{taken + 1}" if taken else name
    return ids


def _kind(found: Outline, i: int) -> ModuleKind | None:
    if _EXAMPLE.search(found.sections[i].title):
        return "examples"
    return "rules" if found.generality[i] == 1 else "reference" if found.profiles[i].blocks else None


def _when(found: Outline, coupling: Coupling, i: int, first: int) -> When:
    if i in coupling.tools:
        return When(tools=tuple(sorted(coupling.tools[i])))
    return When(always=found.generality[i] == 1 or i == first)


def _referred(found: Outline, i: int) -> Iterator[int]:
    seen = set()
    for _, targets in found.referring.get(i, ()):
        for target in targets:
            if target not in seen:
                seen.add(target)
                yield target
