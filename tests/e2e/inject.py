# SPDX-License-Identifier: Apache-2.0
"""Somebody who has taken over a process: makes it do a system call, or run in a circle, by ptrace. x86_64, as root."""
import ctypes
import os
import platform
import re
import signal
import subprocess

ATTACH, DETACH, GETREGS, SETREGS = 16, 17, 12, 13
WALL = 0x40000000
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
CALLS = {"open": 2, "mmap": 9, "socket": 41, "execve": 59, "openat": 257}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
libc.ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTERS]


def ptrace(request, pid, address=None, data=None):
    if libc.ptrace(request, pid, address, data) < 0:
        no = ctypes.get_errno()
        raise OSError(no, "ptrace %d of %d: %s" % (request, pid, os.strerror(no)))


def attach(pid):
    ptrace(ATTACH, pid)
    os.waitpid(pid, WALL)


def cannot():
    """Why a process of this test cannot be taken over here, or None."""
    if platform.machine() != "x86_64":
        return "written for x86_64, and this is " + platform.machine()
    if os.geteuid():
        return "only root traces a process that cannot be dumped"
    p = subprocess.Popen(["sleep", "60"])
    try:
        attach(p.pid)
        ptrace(DETACH, p.pid)
    except OSError as e:
        return "this machine permits no ptrace: %s" % e
    finally:
        p.kill()
        p.wait()
    return None


def call_instruction(pid):
    """Address of a `syscall` in the C library that the process has mapped."""
    with open("/proc/%d/maps" % pid, encoding="utf-8") as f:
        start, end = (int(x, 16) for x in re.search(r"(?m)^([0-9a-f]+)-([0-9a-f]+) r-xp .*/libc\.so\.6$", f.read()).groups())
    with open("/proc/%d/mem" % pid, "rb") as f:
        f.seek(start)
        return start + f.read(end - start).index(b"\x0f\x05")


def do(pid, call, *arguments):
    """The process does this system call, whatever it was doing, and goes on somewhere where nothing makes sense."""
    attach(pid)
    registers = Registers()
    ptrace(GETREGS, pid, None, ctypes.addressof(registers))
    registers.rip = call_instruction(pid)
    registers.rax, registers.orig_rax = CALLS[call], (1 << 64) - 1
    for name, value in zip(ARGUMENTS, arguments):
        setattr(registers, name, value & ((1 << 64) - 1))
    ptrace(SETREGS, pid, None, ctypes.addressof(registers))
    ptrace(DETACH, pid)


def circle(pid):
    """The process runs in a circle for ever."""
    attach(pid)
    registers = Registers()
    ptrace(GETREGS, pid, None, ctypes.addressof(registers))
    at = call_instruction(pid)
    with open("/proc/%d/mem" % pid, "r+b", buffering=0) as f:
        f.seek(at)
        f.write(b"\xeb\xfe")
    registers.rip, registers.orig_rax = at, (1 << 64) - 1
    ptrace(SETREGS, pid, None, ctypes.addressof(registers))
    ptrace(DETACH, pid)


def crash(pid):
    """As a broken program does."""
    os.kill(pid, signal.SIGSEGV)


def memory_has(pid, words):
    """Which of these byte strings stand in what the process can read of its own memory. Guarded pages too, which it may not."""
    found = set()
    with open("/proc/%d/maps" % pid, encoding="utf-8") as f:
        spans = [[int(x, 16) for x in line.split()[0].split("-")] for line in f if "[v" not in line]
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as f:
        for start, end in spans:
            kept = b""
            while start < end:
                try:
                    f.seek(start)
                    part = f.read(min(end - start, 1 << 20))
                except OSError:
                    break
                if not part:
                    break
                found |= {w for w in words if w in kept + part}
                kept, start = part[-256:], start + len(part)
    return found
