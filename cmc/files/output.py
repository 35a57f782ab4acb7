# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Output files that appear whole or not at all."""

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from cmc.errors import CmcError

LONGEST_NAME = 255
"""How many bytes the name of a file may have, everywhere."""


def beside(path: Path, suffix: str) -> Path:
    """The path of a file that belongs to `path`: of its name, cut to length, and that suffix."""
    if not path.name:
        raise CmcError("is a folder, not a file", str(path))
    stem = os.fsencode(path.stem)[: LONGEST_NAME - len(suffix)]
    return path.with_name(os.fsdecode(stem).encode(errors="ignore").decode() + suffix)


def check_output(path: Path, others: Iterable[Path] = ()) -> None:
    """Fail before the work is done, not after it, when `path` could not be written.

    `others` are files that are read, or written too, and must not be overwritten.
    """
    if (length := len(os.fsencode(path.name))) > LONGEST_NAME:
        raise CmcError(f"its name has {length} bytes, and may have {LONGEST_NAME}", str(path))
    try:
        path.resolve()
    except RuntimeError:
        raise CmcError("is a link that leads to itself", str(path)) from None
    for other in others:
        if path.exists() and other.exists() and path.samefile(other) and path.is_file():
            raise CmcError("would overwrite what is read, or written too", str(path))
        if path.resolve() == other.resolve() and not path.exists():
            raise CmcError("is to be written twice", str(path))
    folder = path.parent
    if str(path) == "-":
        raise CmcError("names a file here; standard output is /dev/stdout", "-")
    if path.is_dir():
        raise CmcError("is a folder, not a file to write", str(path))
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "no such folder"
        raise CmcError(reason, str(folder))
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise CmcError("may not be written (permission denied)", str(path))


def check_outputs(paths: Iterable[Path | None], read: Sequence[Path]) -> None:
    """The same for some files, as far as they are given, beside those that are read."""
    written = [path for path in paths if path is not None]
    for position, path in enumerate(written):
        check_output(path, [*read, *written[:position]])


@contextmanager
def naming(name: str, also: str | None = None) -> Generator[None]:
    """Let an error of the system name the file `name` where it names none, or the file `also`."""
    try:
        yield
    except OSError as error:
        if error.filename in (None, also):
            error.filename = name
        raise


def is_special(path: Path) -> bool:
    """Whether `path` is a device or a pipe, such as `/dev/null`: nothing can lie beside it."""
    return path.exists() and not path.is_file()


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    A device or a pipe is written to directly.
    """
    check_output(path)
    if is_special(path):
        with naming(str(path)):
            yield path
        return
    target = path.resolve()
    # Not longer than the name itself may be.
    digest = sha256(os.fsencode(target.name)).hexdigest()[:16]
    temporary = target.with_name(f".{digest}.{os.getpid()}.tmp")
    try:
        with naming(str(path), also=str(temporary)):
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_text(path: Path) -> Generator[IO[str]]:
    """A text stream whose content becomes the file `path` when the block ends without an error.

    What of the name of a file is no text is written as escapes.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream,
    ):
        yield stream
