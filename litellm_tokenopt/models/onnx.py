"""Embeddings by ONNX Runtime: an 8-bit export of a sentence-transformers model, served without torch."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ModelUnavailable
from ..memo import Memo
from . import packages
from .export import GRAPH, TOKENIZER, export
from .files import EXPORT_FILE, ModelFiles, is_exported, read_json
from .once import Once
from .pages import large_pages
from .workers import Workers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

TOKENS_PER_JOB = 512
SMALL_TOKENS = 32
"""A text of so many tokens is embedded in 4 ms."""
OFF_LOOP_CHARS = 8_000
"""Longer texts are read into tokens in a thread: more than about 3 ms of work."""
# No tokenizer needs to read more of a text that is cut to its first tokens; words of natural text are far shorter.
CHARACTERS_PER_TOKEN = 64

REMEMBERED_TEXTS = 1_000
"""The stages of a request ask for its question in forms that differ in case and spaces: the same tokens."""

Tokens: TypeAlias = Sequence[int]


@dataclass(frozen=True, slots=True)
class Graph:
    """A loaded export; its methods may run in several threads at once."""

    session: Any
    tokenizer: Any
    dimensions: int
    max_characters: int

    def read(self, texts: Sequence[str]) -> list[Tokens]:
        """The ids of each text's tokens, as many as the model reads."""
        return [self._ids(text) for text in texts]

    def vectors(self, tokens: Sequence[Tokens]) -> NDArray[np.float32]:
        """Unit vectors of texts of as many tokens, shape (texts, dimensions).

        A vector has the same bits whatever stands beside it: nothing is padded, and each row is quantised by itself.
        """
        import numpy as np

        vectors: NDArray[np.float32] = self.session.run(["vector"], {"input_ids": np.array(tokens, np.int64)})[0]
        return vectors

    def _ids(self, text: str) -> Tokens:
        readable = text[: self.max_characters].encode("utf-8", "replace").decode()
        ids: list[int] = self.tokenizer.encode(readable).ids
        return ids


def load_graph(folder: Path) -> Graph:
    """The export in *folder*, ready to run."""
    facts = read_json(folder / EXPORT_FILE)
    session, tokenizer = load_session(folder / GRAPH), load_tokenizer(folder, facts["max_tokens"])
    return Graph(session, tokenizer, facts["dimensions"], facts["max_tokens"] * CHARACTERS_PER_TOKEN)


def load_session(path: Path) -> Any:
    """The graph in *path*; each run takes one thread of the caller's."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with large_pages():
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def load_tokenizer(folder: Path, max_tokens: int) -> Any:
    """The tokenizer of the export in *folder*, which reads at most *max_tokens* of a text."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


class OnnxEmbedder:
    """Serves the export of *files*, and makes it first where *cache_folder* doesn't hold it yet.

    Runs at most *threads* batches at once, whichever calls they come from; a long call lets others in between. A call
    waits for the model at most until *patience_seconds* after its loading began.
    """

    def __init__(
        self, files: ModelFiles, cache_folder: Path, threads: int, patience_seconds: float | None = None
    ) -> None:
        self.files = files
        self.folder = files.export_folder(cache_folder)
        self._threads = threads
        self._workers = Workers(threads, "tokenopt-embed")
        self._patience_seconds = patience_seconds
        self._graph = Once(self._load)
        self._known: Memo[tuple[int, ...], NDArray[np.float32]] = Memo(REMEMBERED_TEXTS)

    @property
    def name(self) -> str:
        return f"{self.files.name}-onnx-int8"

    @property
    def dimensions(self) -> int:
        return self.files.dimensions

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of *texts*, shape (len(texts), dimensions). Raises `ModelUnavailable`.

        A text's vector doesn't depend on the others. Only the first tokens count, as many as the model reads.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        graph = await self._graph.get(self._patience_seconds)
        read = [tuple(tokens) for tokens in await self._read(graph, texts)]
        rows = zip(read, self._known.get_all(read), strict=True)
        known = {tokens: row for tokens, row in rows if row is not None}
        new = list(dict.fromkeys(tokens for tokens in read if tokens not in known))
        for tokens, row in zip(new, await self._vectors(graph, new), strict=True):
            known[tokens] = row.copy()
            self._known.put(tokens, known[tokens])
        return np.stack([known[tokens] for tokens in read])

    def check(self) -> None:
        """Raises `ModelUnavailable` when packages or files are missing. Loads nothing."""
        packages.require(packages.SERVING, f"the model {self.name}")
        if is_exported(self.folder):
            return
        if self.files.folder is None:
            raise ModelUnavailable(f"the files of {self.files.name} are missing: {packages.INSTALL}")
        packages.require(packages.EXPORTING, f"exporting {self.files.name}, once,")

    def exported(self) -> Path:
        """The folder of the export, made first if need be. Blocks; raises `ModelUnavailable`."""
        self.check()
        if not is_exported(self.folder):
            self._export()
        return self.folder

    def warmup(self) -> Path:
        """Export if need be, load, and return the export's folder. Blocks; raises `ModelUnavailable`."""
        self._graph.wait()
        return self.folder

    async def ready(self) -> None:
        """Wait, however long, until the model is loaded. Raises `ModelUnavailable`."""
        await self._graph.get()

    def close(self) -> None:
        """`Embedder.close`."""
        self._workers.close()
        self._graph.forget()

    async def _read(self, graph: Graph, texts: Sequence[str]) -> list[Tokens]:
        if sum(map(len, texts)) <= OFF_LOOP_CHARS:
            return graph.read(texts)
        return await self._workers.run(graph.read, texts)

    async def _vectors(self, graph: Graph, tokens: Sequence[Tokens]) -> NDArray[np.float32]:
        """Unit vectors of texts, given as their *tokens*."""
        import numpy as np

        found = np.empty((len(tokens), self.dimensions), np.float32)
        jobs = jobs_of(tokens)
        rest = iter(jobs)
        works = [self._work(graph, tokens, rest, found) for _ in range(min(self._threads, len(jobs)))]
        # A question's time counts: no task for the only job.
        await (works[0] if len(works) == 1 else asyncio.gather(*works))
        return found

    async def _work(
        self, graph: Graph, tokens: Sequence[Tokens], jobs: Iterator[list[int]], found: NDArray[np.float32]
    ) -> None:
        run = self._workers.run_small if sum(map(len, tokens)) <= SMALL_TOKENS else self._workers.run
        for rows in jobs:
            found[rows] = await run(graph.vectors, [tokens[row] for row in rows])

    def _load(self) -> Graph:
        folder = self.exported()
        try:
            return load_graph(folder)
        except Exception as error:
            raise ModelUnavailable(f"the export in {self.folder} can't be loaded: {error}") from error

    def _export(self) -> None:
        start = time.monotonic()
        export(self.files, self.folder)
        seconds = time.monotonic() - start
        logger.info("exported %s for ONNX Runtime to %s in %.0f s", self.files.name, self.folder, seconds)


def jobs_of(tokens: Sequence[Tokens]) -> list[list[int]]:
    """Rows to embed together, of one length: the longest first, so that the threads end at about the same time."""
    order = sorted(range(len(tokens)), key=lambda row: -len(tokens[row]))
    jobs = []
    for length, group in groupby(order, key=lambda row: len(tokens[row])):
        rows, most = list(group), max(1, TOKENS_PER_JOB // length)
        jobs += [rows[start : start + most] for start in range(0, len(rows), most)]
    return jobs
