"""The settings file shows every setting, with its default."""

from __future__ import annotations

from pathlib import Path

import yaml

from litellm_tokenopt import Settings, load_settings

FILE = Path(__file__).parents[2] / "config" / "settings.yaml"


def test_it_holds_every_setting_at_its_default():
    """Nobody has to read the code to know what can be set."""
    assert yaml.safe_load(FILE.read_text()) == Settings().model_dump(mode="json")
    assert load_settings(FILE) == Settings()


def test_every_setting_is_explained():
    """Each field has a description, which is the file's comment; `enabled` speaks for itself."""
    for section in (
        Settings,
        *(f.annotation for f in Settings.model_fields.values() if hasattr(f.annotation, "model_fields")),
    ):
        for name, field in section.model_fields.items():
            assert field.description or name == "enabled" or hasattr(field.annotation, "model_fields"), name
