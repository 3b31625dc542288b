# SPDX-License-Identifier: Apache-2.0
"""What an application zygote has of the process, and gives to each child, or puts back after a request to warm up."""

import _signal
import atexit
import ctypes
import io
import os
import sys

import sandboxd_script as scripts

VARIABLES_MAX = 1024  # as child/environment.h has it

# string_at() of ctypes in fewer steps.
bytes_at = ctypes.pythonapi.PyBytes_FromStringAndSize
bytes_at.restype = ctypes.py_object


class Environment:
    """
    The process's environment, as Python and libc have it. A request's replaces it at once, in memory that is there:
    setenv(3) for each variable would copy them all.
    """

    def __init__(self):
        self.data = os.environ._data  # that of os.environb and posix.environ too
        self.pointer = ctypes.c_void_p.in_dll(ctypes.pythonapi, "environ")
        self.array = (ctypes.c_void_p * (VARIABLES_MAX + 1))()
        self.original = self.data.copy()
        self.original_pointer = self.pointer.value
        # The interpreter's own doing where the locale would be "C" (PEP 538): programs that a request starts see it.
        self.locale = self.data.get(b"LC_CTYPE")
        self.locale_variable = ctypes.create_string_buffer(b"LC_CTYPE=" + (self.locale or b""))

    def place(self, address, block):
        """Of `block`, which begins at `address` and stays there. Nothing may be in `data`: see empty()."""
        variables = block.split(b"\0")
        del variables[VARIABLES_MAX:], variables[-1]
        self.data.update([variable.split(b"=", 1) for variable in variables])
        index = 0
        if self.locale and b"LC_CTYPE" not in self.data and len(variables) < VARIABLES_MAX:
            self.data[b"LC_CTYPE"] = self.locale
            self.array[0] = ctypes.addressof(self.locale_variable)
            index = 1
        for variable in variables:
            self.array[index] = address
            address += len(variable) + 1
            index += 1
        self.array[index] = None
        self.pointer.value = ctypes.addressof(self.array)

    def empty(self):
        """Before a fork, for each variable that a child removed would have it copy a page."""
        self.data.clear()

    def restore(self):
        self.data.clear()
        self.data.update(self.original)
        self.pointer.value = self.original_pointer


class Streams:
    """sys.stdin, sys.stdout and sys.stderr as the interpreter has made them, so that they can be made anew."""

    NAMES = ("stdin", "stdout", "stderr")

    def __init__(self):
        self.kinds = []
        for name in self.NAMES:
            stream = getattr(sys, name)
            raw = isinstance(stream.buffer, io.FileIO)
            self.kinds.append((raw, stream.encoding, stream.errors, stream.line_buffering, stream.write_through))

    def objects(self):
        """Their identities; the end of a process empties them by name."""
        streams = [getattr(sys, name) for name in self.NAMES]
        return {id(stream) for stream in streams} | {id(stream.buffer) for stream in streams}

    def renew(self):
        """After a request to warm up nobody knows what became of them."""
        null = os.open("/dev/null", os.O_RDWR)
        while null < 3:  # somebody has closed one of them
            null = os.open("/dev/null", os.O_RDWR)
        os.close(null)
        for fd, name in enumerate(self.NAMES):
            raw, encoding, errors, line_buffering, write_through = self.kinds[fd]
            buffer = open(fd, "wb" if fd else "rb", buffering=0 if raw else -1, closefd=False)
            (buffer if raw else buffer.raw).name = f"<{name}>"
            stream = io.TextIOWrapper(buffer, encoding, errors, "\n", line_buffering, write_through)
            stream.mode = "w" if fd else "r"
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


class State:
    """What a request to warm up may have changed of the process, to be put back. What it left in modules stays."""

    def __init__(self):
        self.directory = os.getcwd()
        self.path = sys.path[:]
        self.argv = sys.argv[:]
        self.hooks = {name: getattr(sys, name) for name in ("excepthook", "displayhook", "unraisablehook")}
        self.main = sys.modules["__main__"]
        self.umask = os.umask(0)
        os.umask(self.umask)
        self.signals = {number: _signal.getsignal(number) for number in _signal.valid_signals()}
        warnings = sys.modules.get("warnings")
        self.filters = warnings.filters[:] if warnings else None

    def restore(self):
        os.chdir(self.directory)
        os.umask(self.umask)
        sys.path[:] = self.path
        sys.argv[:] = self.argv
        sys.modules["__main__"] = self.main
        for name, hook in self.hooks.items():
            setattr(sys, name, hook)
        for number, handler in self.signals.items():
            if handler is not None and _signal.getsignal(number) != handler:
                _signal.signal(number, handler)
        if self.filters is not None:
            sys.modules["warnings"].filters[:] = self.filters
            sys.modules["warnings"]._filters_mutated()


class Exits:
    """
    Functions given to atexit while a request is warmed up. What a script itself registers, it registers in each
    request: that is for the end of this one. What modules register is for the end of each child, for they are not
    imported again.
    """

    def __init__(self, application):
        self.application = application
        self.register = atexit.register
        self.own = []

    def __enter__(self):
        atexit.register = self.note
        return self

    def __exit__(self, *raised):
        atexit.register = self.register

    def note(self, function, *args, **kwargs):
        if sys._getframe(1).f_globals is not self.application.namespace:
            return self.register(function, *args, **kwargs)
        self.own.append((function, args, kwargs))
        return function

    def run(self):
        while self.own:
            function, args, kwargs = self.own.pop()
            try:
                function(*args, **kwargs)
            except BaseException as error:
                scripts.report(error)
