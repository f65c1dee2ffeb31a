"""The kinds of tasks that requests and tools are sorted into: a YAML file that users may write for themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import SettingsError

PACKAGED = Path(__file__).parent / "intents.yaml"

Line = Annotated[str, Field(min_length=1)]


class Category(BaseModel):
    """A kind of task; `tools` is false where requests of it need no tool."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    description: Line
    examples: tuple[Line, ...] = ()
    tools: bool = True

    @property
    def texts(self) -> tuple[str, ...]:
        """What says what the category is."""
        return (self.description, *self.examples)


class Taxonomy(BaseModel):
    """Categories by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    categories: Annotated[dict[Annotated[str, Field(pattern=r"^[\w-]+$")], Category], Field(min_length=1)]


def read_taxonomy(path: str | os.PathLike[str] | None = None) -> Taxonomy:
    """The taxonomy in the YAML file *path*, or the packaged one. Raises `SettingsError`, naming the file and fault."""
    import yaml

    place = Path(path).expanduser() if path is not None else PACKAGED
    try:
        return Taxonomy.model_validate(yaml.safe_load(place.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{place}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{place}: not YAML: {error}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "the file"
        raise SettingsError(f"{place}: {where}: {fault['msg'][:1].lower()}{fault['msg'][1:]}") from None
