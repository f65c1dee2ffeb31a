"""Modules of a system prompt, as users write them: a YAML file, or a list in the settings.

A module says which text it is and when that is sent. Where a request's system prompt holds the text (spaces aside),
the module decides on it. Files are read once, with the settings.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import SettingsError

Name = Annotated[str, Field(min_length=1)]
ModuleKind = Literal["rules", "reference", "examples"]


class When(BaseModel):
    """When a module is sent: *always*, or if any of the rest holds; where nothing is said, its relevance decides.

    `intents` are kinds of tasks (`tools.intents`), `tools` names of tools that are sent (``*`` stands for any
    letters), `words` are words or phrases of the question.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    always: bool = False
    intents: tuple[Name, ...] = ()
    tools: tuple[Name, ...] = ()
    words: tuple[Name, ...] = ()

    @property
    def conditional(self) -> bool:
        """Whether the module is sent only if something holds."""
        return not self.always and bool(self.intents or self.tools or self.words)


class PromptModule(BaseModel):
    """One module: its text (or the file that holds it), and when it is sent.

    `under` is the module whose heading it stands under; `requires` come with it, `conflicts` never do. Of those that
    don't fit into the budget, the ones of least `priority` go first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Annotated[str, Field(pattern=r"^[^\s,;]+$")]
    text: str = ""
    file: str | None = None
    summary: str = ""
    tokens: int = 0
    under: str | None = None
    when: When = When()
    requires: tuple[Name, ...] = ()
    conflicts: tuple[Name, ...] = ()
    priority: int = 0
    kind: ModuleKind | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a module."""

    id: str
    field: str
    text: str

    def __str__(self) -> str:
        return f"module {self.id}: {self.field}: {self.text}"


def read_modules(source: str | os.PathLike[str] | Sequence[Any]) -> tuple[PromptModule, ...]:
    """The modules of a YAML file or a list, with the texts of their files. Raises `SettingsError`, naming the fault."""
    modules, where = parse_modules(source)
    for fault in faults(modules):
        raise SettingsError(f"{where}{fault}")
    return modules


def parse_modules(source: str | os.PathLike[str] | Sequence[Any]) -> tuple[tuple[PromptModule, ...], str]:
    """The modules of *source*, each by itself right, and what to begin errors about them with."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        return _parse(_listed(path), path.parent, f"{path}: "), f"{path}: "
    return _parse(source, Path(), ""), ""


def joined(modules: Iterable[PromptModule]) -> str:
    """The text of all *modules*, in their order, a blank line between any two."""
    return "\n\n".join(module.text.strip("\n") for module in modules)


def faults(modules: Sequence[PromptModule]) -> Iterator[Fault]:
    """What keeps *modules* from being used together: ids that are missing or given twice, and contradictions."""
    by_id = {module.id: module for module in modules}
    seen: set[str] = set()
    for module in modules:
        if module.id in seen:
            yield Fault(module.id, "id", "is given twice")
        seen.add(module.id)
        yield from _missing(module, by_id)
    for module in modules:
        yield from _contradictions(module, by_id)
    yield from _loops(modules, by_id)


def mended(modules: Sequence[PromptModule]) -> tuple[PromptModule, ...]:
    """*modules* without what `faults` finds: the first of each id, naming none that is missing, or needed besides."""
    by_id = {module.id: module for module in reversed(modules)}
    needed = {id: closure(id, by_id) for id in by_id}
    together = {pair for group in needed.values() for pair in product(group, group)}
    return tuple(
        module.model_copy(
            update={
                "under": None,
                "requires": tuple(id for id in module.requires if id in by_id),
                "conflicts": tuple(id for id in module.conflicts if id in by_id and (module.id, id) not in together),
            }
        )
        for module in modules
        if by_id[module.id] is module
    )


def closure(id: str, by_id: Mapping[str, PromptModule]) -> tuple[str, ...]:
    """*id* and all that it requires, in the order found; ids that are missing aside."""
    found: list[str] = []
    waiting = [id]
    while waiting:
        one = waiting.pop(0)
        if one in by_id and one not in found:
            found.append(one)
            waiting += by_id[one].requires
    return tuple(found)


def conflict(one: PromptModule, other: PromptModule) -> bool:
    """Whether the two are never sent together."""
    return one.id in other.conflicts or other.id in one.conflicts


def _listed(path: Path) -> Sequence[Any]:
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    listed = value.get("modules") if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        raise SettingsError(f"{path}: a list of modules is allowed, or a mapping with the key modules that holds it")
    return listed


def _parse(listed: Sequence[Any], folder: Path, where: str) -> tuple[PromptModule, ...]:
    return tuple(_module(value, number, folder, where) for number, value in enumerate(listed, 1))


def _module(value: Any, number: int, folder: Path, where: str) -> PromptModule:
    if isinstance(value, PromptModule):
        return value
    name = value.get("id") if isinstance(value, Mapping) else None
    begin = f"{where}module {name or f'number {number}'}"
    try:
        module = PromptModule.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the module"
        raise SettingsError(f"{begin}: {field}: {_plain(fault)}") from None
    if module.file is not None and module.text:
        raise SettingsError(f"{begin}: file: text is given too; name one of them")
    if module.file is not None:
        text = _content(folder / Path(module.file).expanduser(), begin)
        module = module.model_copy(update={"text": text, "file": None})
    if not module.text.strip():
        raise SettingsError(f"{begin}: text: is empty; text or file is needed")
    return module


def _plain(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        fields = When.model_fields if fault["loc"][0] == "when" else PromptModule.model_fields
        return f"no such field; allowed here: {', '.join(fields)}"
    if fault["type"] == "tuple_type":
        return "a list is allowed, such as [one, another]"
    if fault["type"] in ("model_type", "model_attributes_type"):
        return "a mapping is allowed"
    message: str = fault["msg"]
    return f"{message[:1].lower()}{message[1:]}"


def _content(path: Path, begin: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{begin}: file: {path} can't be read: {reason}") from None


def _missing(module: PromptModule, by_id: Mapping[str, PromptModule]) -> Iterator[Fault]:
    for field in ("requires", "conflicts"):
        for id in getattr(module, field):
            if id not in by_id:
                yield Fault(module.id, field, f"there is no module {id}")
    if module.under is not None and module.under not in by_id:
        yield Fault(module.id, "under", f"there is no module {module.under}")


def _contradictions(module: PromptModule, by_id: Mapping[str, PromptModule]) -> Iterator[Fault]:
    needed = closure(module.id, by_id)
    for n, one in enumerate(needed):
        for other in needed[n:]:
            if conflict(by_id[one], by_id[other]):
                pair = f"itself and {other}" if one == module.id else f"{one} and {other}"
                yield Fault(module.id, "requires", f"needs {pair}, which conflict")
                return


def _loops(modules: Sequence[PromptModule], by_id: Mapping[str, PromptModule]) -> Iterator[Fault]:
    """Modules that stand under themselves."""
    for module in modules:
        above, seen = module.under, {module.id}
        while above is not None and above in by_id and above not in seen:
            seen.add(above)
            above = by_id[above].under
        if above == module.id:
            yield Fault(module.id, "under", "the module stands under itself")
