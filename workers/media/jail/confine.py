"""What a process gives up before it reads a source: memory, files, network, programs."""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _DENY, _ABSENT = 0x7FFF0000, 0x00050001, 0x00050026
"""Go on; EPERM; ENOSYS, after which libc takes an older call."""
_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_X86_64 = 0xC000003E
_CLONE, _CLONE3, _TGKILL, _PRLIMIT = 56, 435, 234, 302
_CLONE_THREAD = 0x10000
_MOST_OPEN_FILES = 32
_Step = tuple[int, int, int, int]
"""Operation, steps to skip when its test holds and when not, operand."""
#: System calls of x86-64 that decoding needs: memory, threads, clocks, signals, and descriptors that are open already.
_ALLOWED = (
    *(0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 19, 20, 23, 24, 25, 28, 35, 39, 44, 45, 46, 47, 60, 63, 72),
    *(96, 97, 98, 99, 131, 158, 186, 201, 202, 204, 218, 219, 228, 229, 230, 231, 262, 270, 271, 273),
    *(309, 318, 324, 334),
)


def die_with(parent: int) -> None:
    """Be killed when the process ``parent`` ends, however it does."""
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(1)


def limit(memory_mb: int) -> None:
    """Take at most ``memory_mb``, write no file, leave no core."""
    for kind, most in (
        (resource.RLIMIT_DATA, memory_mb << 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _MOST_OPEN_FILES),
    ):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def close_doors() -> bool:
    """From now on open no file, no socket, start no program; whether the system enforces it (Linux on x86-64)."""
    if sys.platform != "linux":
        return False
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if platform.machine() != "x86_64":
        return False
    steps = _filter()
    body = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = struct.pack("=HxxxxxxQ", len(steps), ctypes.addressof(body))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.create_string_buffer(program))


def _filter() -> list[_Step]:
    """A program of the kernel's packet filter."""
    return [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_EQUAL, 1, 0, _X86_64),
        (_RETURN, 0, 0, _DENY),
        (_LOAD, 0, 0, _NUMBER_AT),
        *(step for number in _ALLOWED for step in ((_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW))),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ABSENT),
        *_where(_CLONE, _ANY_BIT, _CLONE_THREAD),
        *_where(_TGKILL, _EQUAL, os.getpid()),
        *_where(_PRLIMIT, _EQUAL, 0),
        (_RETURN, 0, 0, _DENY),
    ]


def _where(number: int, test: int, operand: int) -> list[_Step]:
    """Allow a system call where its first argument passes a test."""
    return [
        (_EQUAL, 0, 4, number),
        (_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        (test, 0, 1, operand),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]


def _prctl(option: int, value: int, pointer: object = None) -> bool:
    libc, none = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(0)
    return bool(libc.prctl(option, ctypes.c_ulong(value), none if pointer is None else pointer, none, none) == 0)
