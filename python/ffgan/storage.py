# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that appear whole or not at all, locks between processes, digests of tensors.

What fails here raises a plain OSError. Each package turns it into an error of its own, whose
message names the file and the way out.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import secrets
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger("ffgan.storage")

Tensors: TypeAlias = Mapping[str, NDArray[Any]]

TEMPORARY_FILES: Final = (".*.tmp", ".*.part")
"""Patterns of what a killed process leaves beside its files, ``.part`` that of older versions."""

LONGEST_NAME: Final = 255
"""Bytes of a file's name on common file systems."""

# What a file system says that does not know a call. Lustre, FUSE and network drives do.
_UNSUPPORTED: Final = frozenset(
    {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOTTY}
)

POWER_CUT: Final = "a power cut may lose the newest ones"

_told: set[tuple[str, int]] = set()


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace the file ``path``; whoever reads it, also after a crash, finds the old or the new.

    See `atomic_file`. Raises OSError.
    """
    with atomic_file(path, durable=durable) as file:
        file.write(content)


@contextmanager
def atomic_file(
    path: Path, *, durable: bool = True, single_writer: bool = False
) -> Iterator[IO[bytes]]:
    """A context in which the content of ``path`` is written to a temporary file beside it.

    At its end the file gets its name, replacing an old one; where it ends with an exception, the
    temporary file is removed and the old one stays. ``durable`` brings both to the disk before the
    context ends, which takes milliseconds. With ``single_writer`` a second process that writes the
    same file gets a BlockingIOError. Where the file system knows no locks or cannot bring a folder
    to the disk, a line of the log says so, once. Raises OSError.
    """
    # A short name: that of `path` may be as long as file systems take.
    temporary = path.with_name(f".ffgan-{secrets.token_hex(8)}.tmp")
    lone = _lone_name(path)
    try:
        file = _open_alone(lone) if single_writer else None
        alone = file is not None
        with file or temporary.open("xb") as file:
            yield file
            file.flush()
            if durable:
                synchronise(file.fileno(), path)
            if alone:
                lone.replace(path)  # before the lock goes
        if not alone:
            temporary.replace(path)
        if durable:
            _synchronise_folder(path.parent)
    except BaseException:  # a signal's, too, which may come as a file is opened
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if single_writer:
            _remove_unlocked(lone)
        raise


def _lone_name(path: Path) -> Path:
    """The name that tells the next process that this one is writing, or what a killed one left."""
    temporary = path.with_name(f".{path.name}.tmp")
    if len(os.fsencode(temporary.name)) <= LONGEST_NAME:
        return temporary
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".ffgan-{digest}.tmp")


def _remove_unlocked(path: Path) -> None:
    """Remove a file that `_open_alone` has made, unless another process has locked it."""
    with suppress(OSError), path.open("r+b") as file:
        if _lock(file.fileno(), path) and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            path.unlink()


def _open_alone(path: Path) -> IO[bytes] | None:
    """The file, emptied and locked; None where nothing can be locked.

    Raises BlockingIOError when another process has it.
    """
    file = path.open("ab")
    try:
        if not _lock(file.fileno(), path):
            file.close()
            path.unlink(missing_ok=True)
            return None
        # Between opening and locking, the other process may have given it its final name.
        if not (path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno()))):
            raise BlockingIOError
        file.truncate(0)
    except BaseException:
        file.close()
        raise
    return file


def synchronise(descriptor: int, path: Path) -> None:
    """Bring a file to the disk, where its file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _warn_once("sync files", path.parent, error, POWER_CUT)


def _synchronise_folder(folder: Path) -> None:
    """Bring a rename in ``folder`` to the disk, where that can be asked for.

    The file itself is there already, so nothing that fails here is an error.
    """
    if os.name != "posix":
        return  # Windows has no such call and needs none
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        _warn_once("sync the names of files", folder, error, POWER_CUT)


def acquire_lock(path: Path) -> int:
    """Lock a folder, or the file ``path``, which is made, against other processes.

    Returns a descriptor; the lock is held until it is closed, which the end of the process does
    too. A file system without locks is told of in a line of the log, and nothing is locked. Raises
    BlockingIOError when another process holds the lock, OSError when the file cannot be made.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags, 0o666)
    try:
        _lock(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, path: Path) -> bool:
    """Lock the open file; False where that is not possible. Raises BlockingIOError when it is."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system: nothing is locked
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno == errno.EACCES:  # what some network drives say of a lock that is held
            raise BlockingIOError(error.errno, error.strerror) from error
        folder = path if path.is_dir() else path.parent
        advice = "see that no other process writes there at the same time"
        _warn_once("lock files", folder, error, advice)
        return False
    return True


def _warn_once(what: str, folder: Path, error: OSError, advice: str) -> None:
    """Tell, once for each file system, what it cannot do."""
    try:
        device = os.stat(folder).st_dev
    except OSError:
        device = 0
    if (what, device) not in _told:
        _told.add((what, device))
        logger.warning(f"cannot {what} in {folder} ({reason(error)}): {advice}")


def remove_temporary_files(folder: Path) -> None:
    """Remove what a killed process left of `write_atomically`; no other process may be writing."""
    for pattern in TEMPORARY_FILES:
        with suppress(OSError):
            for path in folder.glob(pattern):
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def _description(name: str, tensor: NDArray[Any]) -> str:
    return f"{name} {tensor.dtype} {tensor.shape}\n"


def tensor_digest(
    tensors: Tensors, describe: Callable[[str, NDArray[Any]], str] = _description
) -> str:
    """SHA-256, as hex, over the tensors in the order of their names.

    Of each one, what ``describe`` says of it (name, type and shape) and its bytes.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(describe(name, tensor).encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def encode_tensors(tensors: Tensors, metadata: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file: equal for equal tensors and metadata.

    The library alone writes the metadata in an order that changes from process to process.
    """
    from safetensors.numpy import save

    data = save(dict(tensors), dict(metadata))
    (length,) = struct.unpack_from("<Q", data)
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)  # the tensors stay aligned
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def reason(error: OSError) -> str:
    """What the system says, for a message that names the file itself."""
    return error.strerror or str(error)


FULL: Final = frozenset(
    getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name)
)
"""What the system says where there is no room, for anybody or for this user."""


FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What it says where this user may not write, or nobody."""


_IN_THE_WAY: Final = "move away what has its name or that of its folder"
_REMEDIES: Final = {
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOENT: "see that its folder is there",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}


def is_full(error: BaseException | None) -> bool:
    """Whether it is an OSError that room would mend."""
    return isinstance(error, OSError) and error.errno in FULL


def remedy(error: OSError) -> str:
    """What to do about a file that cannot be written, as far as the system's answer tells.

    Room helps against a full disk only, and no right to write against a disk that is away.
    """
    if is_full(error):
        return "make room"
    if error.errno in FORBIDDEN:
        return "make it writable"
    return _REMEDIES.get(error.errno or 0, "check the disk")


def way_out(error: OSError, elsewhere: str) -> str:
    """`remedy`, or how to name another place, which is ``elsewhere``."""
    return f"{remedy(error)} or {elsewhere}"
