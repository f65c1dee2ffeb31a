"""A repository and its coding agent."""

from __future__ import annotations

import random

from .talk import NOUNS, Body, Talk


def coding(chance: random.Random) -> list[Body]:
    """A repository: files are searched, read and changed, tests run again and again."""
    talk = Talk(chance, "You are a coding agent. Use the tools to read, change and test the repository.")
    modules = [_module(talk) for _ in range(chance.randint(5, 12))]
    broken = talk.one(modules)
    talk.user(f"The {broken['noun']} tests fail since yesterday. Find out why and fix it. Never touch the migrations.")
    listing = "\n".join(sorted(f"{m['path']}  {chance.randint(400, 9000)}" for m in modules))
    talk.call("list_files", {"path": "src"}, listing)
    read: list[Body] = []
    for episode in range(chance.randint(2, 5)):
        if episode:
            broken = talk.one(read) if talk.maybe(0.35) else talk.one(modules)
            talk.user(_asked(talk, broken))
        _episode(talk, modules, broken, read)
    return talk.messages


def _asked(talk: Talk, broken: Body) -> str:
    questions = (
        f"Next: {broken['function']} should also accept None.",
        f"Can you add a test for the {broken['noun']} module?",
        f"Rename {broken['function']} to something clearer, please.",
        f"The {broken['noun']} part is slow; look at it again.",
    )
    return str(talk.one(questions))


def _module(talk: Talk) -> Body:
    noun, verb = talk.one(NOUNS), talk.one(("load", "merge", "check", "render", "flush", "parse", "build"))
    number = talk.chance.randint(2, 99)
    return {
        "noun": noun,
        "path": f"src/{noun}/{verb}_{noun}{number}.py",
        "function": f"{verb}_{noun}_{talk.one(NOUNS)}",
        "line": talk.chance.randint(8, 300),
    }


def _source(talk: Talk, module: Body) -> str:
    lines = [f"import {talk.one(NOUNS)}", ""]
    for n in range(talk.chance.randint(2, 9)):
        name = module["function"] if n == 1 else f"{talk.one(('get', 'set', 'make'))}_{talk.one(NOUNS)}_{n}"
        lines += [f"def {name}({talk.one(NOUNS)}, limit={talk.chance.randint(2, 900)}):"]
        lines += [
            f"    {talk.one(NOUNS)} = {talk.one(NOUNS)}.{talk.one(('first', 'count', 'rows'))}(limit)"
            for _ in range(talk.chance.randint(2, 9))
        ]
        lines += [f"    return {talk.one(NOUNS)}", ""]
    return "\n".join(lines)


def _tests(talk: Talk, module: Body, failing: bool) -> str:
    lines = [f"tests/test_{talk.one(NOUNS)}.py::test_{n} PASSED" for n in range(talk.chance.randint(4, 30))]
    if failing:
        lines += [
            f"tests/test_{module['noun']}.py::test_{module['function']} FAILED",
            "=" * 30,
            f"{module['path']}:{module['line']}: in {module['function']}",
            f"E   TypeError: {talk.one(NOUNS)} expected {talk.chance.randint(2, 9)} values, "
            f"got {talk.chance.randint(10, 19)}",
        ]
    return "\n".join([*lines, f"{talk.chance.randint(10, 90)} passed in {talk.chance.uniform(1, 9):.2f}s"])


def _episode(talk: Talk, modules: list[Body], broken: Body, read: list[Body]) -> None:
    _look_around(talk, modules, broken)
    if talk.maybe(0.1):
        talk.call("read_file", {"path": broken["path"][4:]}, "Error: no such file")
    talk.call("read_file", {"path": broken["path"]}, _source(talk, broken))
    if all(module is not broken for module in read):
        read.append(broken)
    _mend(talk, broken)
    talk.say(
        f"Fixed: `{broken['function']}` in `{broken['path']}` (line {broken['line']}) no longer fails; tests pass."
    )


def _look_around(talk: Talk, modules: list[Body], broken: Body) -> None:
    if talk.maybe(0.7):
        talk.call("run_tests", {"target": f"tests/test_{broken['noun']}.py"}, _tests(talk, broken, failing=True))
    if talk.maybe(0.6):
        hits = [f"{m['path']}:{m['line']}: def {m['function']}(" for m in [broken, *talk.some(modules, 1, 4)]]
        talk.call("search_code", {"pattern": broken["function"]}, "\n".join(talk.chance.sample(hits, len(hits))))
    for module in talk.some([m for m in modules if m is not broken], 0, 3):
        talk.call("read_file", {"path": module["path"]}, _source(talk, module))


def _mend(talk: Talk, broken: Body) -> None:
    old = f"def {broken['function']}("
    for attempt in range(talk.chance.randint(1, 3)):
        edit = {"path": broken["path"], "old": old, "new": f"{old}  # {attempt}"}
        talk.call("edit_file", edit, f"edited {broken['path']}, 1 replacement")
        done = attempt == 2 or talk.maybe(0.5)
        talk.call("run_tests", {"target": f"tests/test_{broken['noun']}.py"}, _tests(talk, broken, failing=not done))
        if done:
            return
