"""Users' modules are read with errors that name the module and the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt import SettingsError, load_settings
from litellm_tokenopt.modules import PromptModule, faults, joined, mended


def module(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "text": f"Text of {id}.", **fields}


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ([{"id": "a"}], "module a: text: is empty; text or file is needed"),
        ([{"text": "x"}], "module number 1: id: field required"),
        ([module("a", wen={})], "module a: wen: no such field; allowed here: id, text, file"),
        ([module("a", when={"tool": ["x"]})], "module a: when.tool: no such field; allowed here: always, intents"),
        ([module("a", when={"words": "refund"})], "module a: when.words: a list is allowed"),
        ([module("a", requires=["b"])], "module a: requires: there is no module b"),
        ([module("a", under="b")], "module a: under: there is no module b"),
        ([module("a", under="b"), module("b", under="a")], "module a: under: the module stands under itself"),
        ([module("a"), module("a")], "module a: id: is given twice"),
        ([module("a", requires=["b"]), module("b", conflicts=["a"])], "module a: requires: needs itself and b, which"),
        ([module("a", file="a.md")], "module a: file: text is given too; name one of them"),
        ([{"id": "a", "file": "none.md"}], "module a: file: none.md can't be read"),
        ([module("a", when={"intents": ["cooking"]})], "module a: when.intents: got 'cooking'; allowed: file_ops"),
    ],
)
def test_a_fault_is_named_at_the_start(modules: list[dict[str, Any]], said: str) -> None:
    """The error says which module, which field, and what is wrong."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"prompt": {"modules": modules}})
    assert said in str(caught.value)
    assert str(caught.value).startswith("prompt.modules: ")


def test_a_file_names_texts_beside_it(tmp_path: Path) -> None:
    """A module's file is looked for where the YAML file is."""
    (tmp_path / "refunds.md").write_text("Refunds take five days.")
    path = tmp_path / "modules.yaml"
    path.write_text(
        "modules:\n- {id: core, text: You help.}\n- {id: refunds, file: refunds.md, when: {words: [refund]}}\n"
    )
    modules = load_settings({"prompt": {"modules": str(path)}}).prompt.modules
    assert joined(modules) == "You help.\n\nRefunds take five days."


def test_files_are_read_once(tmp_path: Path) -> None:
    """What changes on the disk afterwards changes no request; a mark of UTF-8 is none of the text."""
    text, path = tmp_path / "refunds.md", tmp_path / "modules.yaml"
    text.write_bytes("\ufeffRefunds take five days.\r\n".encode())
    path.write_text("[{id: refunds, file: refunds.md}]")
    settings = load_settings(
        {
            "prompt": {"modules": str(path)},
            "experiment": {"name": "less", "settings": {"prompt": {"budget_tokens": 900}}},
        }
    )
    text.unlink()
    path.unlink()
    assert [module.text.strip() for module in settings.prompt.modules] == ["Refunds take five days."]
    assert settings.tried().prompt.modules == settings.prompt.modules


def test_what_is_wrong_can_be_left_out() -> None:
    """Modules with faults are, without these, modules that can be used together; ones without are what they were."""
    ids = st.sampled_from("abcde")
    listed = st.lists(
        st.builds(
            PromptModule, id=ids, text=st.just("x"), under=st.none() | ids,
            requires=st.lists(ids, max_size=2).map(tuple), conflicts=st.lists(ids, max_size=2).map(tuple),
        ),
        max_size=5,
    )  # fmt: skip

    @given(listed)
    def holds(modules: list[PromptModule]) -> None:
        assert list(faults(mended(modules))) == []
        assert {module.id for module in mended(modules)} == {module.id for module in modules}

    holds()


@pytest.mark.parametrize("text", ["modules: 3", "a: [", "- just text", ""])
def test_a_file_that_holds_no_modules_is_named(tmp_path: Path, text: str) -> None:
    """The file's path stands in the error."""
    path = tmp_path / "modules.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"modules\.yaml"):
        load_settings({"prompt": {"modules": str(path)}})
