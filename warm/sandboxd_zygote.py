# SPDX-License-Identifier: Apache-2.0
"""
A Python application in an application zygote: brought up once, and then one request in each child.

The preloaded library forks. Its functions, called with the interpreter's lock held:

    int sandboxd_warm_active(void)              if it is there, 1: this is an application zygote
    int sandboxd_warm_take(const char **ret_block, size_t *ret_size)
                                                0: a child, with the request at 0, 1, 2 and its environment in the
                                                block, "NAME=VALUE" and NUL each; 1: the zygote itself, with a request
                                                to warm up; otherwise a negative errno
    void sandboxd_warm_watch(const char *path)  if it is there: a file that the application was made of
    void sandboxd_warm_answered(void)           if it is there: the request to warm up is answered, as a child would

A child's time goes into copying the pages that it writes to, so all that can be done before the fork is done before,
and rehearsed.
"""

import atexit
import ctypes
import gc
import io
import os
import sys
from _weakref import ref

import sandboxd_script as scripts
from sandboxd_served import REHEARSED_BLOCK, Python, Wsgi
from sandboxd_state import Environment, Exits, State, Streams, bytes_at

JOIN_SECONDS = 5  # for the threads that a request to warm up has left
REHEARSALS = 40  # the interpreter takes some rounds until it changes its own code no more

WRITERS = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def library():
    """The preloaded library, if this is an application zygote; else None."""
    found = ctypes.PyDLL(None)
    if not hasattr(found, "sandboxd_warm_take"):
        return None
    if hasattr(found, "sandboxd_warm_active") and found.sandboxd_warm_active() != 1:
        return None
    return found


class Zygote:
    """What goes on around the application."""

    def __init__(self, application):
        self.application = application
        self.library = library()
        self.environment = Environment()
        self.streams = Streams()
        self.exits = Exits(application)
        self.pid = os.getpid()
        self.watched = set()
        self.writers = []
        self.buffer = ctypes.create_string_buffer(REHEARSED_BLOCK, len(REHEARSED_BLOCK))
        self.sample = ctypes.c_void_p(ctypes.addressof(self.buffer)), ctypes.c_size_t(len(REHEARSED_BLOCK))

    def rehearse(self):
        """
        Does what a child will do, some times over: the interpreter then has looked up and specialised what it will use,
        and need not write that down in each child.
        """
        state = State()
        saved = [os.dup(fd) for fd in range(3)]
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        try:
            for _ in range(REHEARSALS):
                self.environment.empty()
                self.environment.place(ctypes.addressof(self.buffer), bytes_at(*self.sample))
                self.application.rehearse(REHEARSED_BLOCK)
                scripts.flush_streams(0)
                self.flush()
        finally:
            self.environment.restore()
            for fd in range(3):
                os.dup2(saved[fd], fd)
                os.close(saved[fd])
            os.close(null)
            state.restore()

    def flush(self):
        """
        Empties files that nobody has closed: those from before the fork, and those of this process. To be called before
        the collector, which may close what is below a text file first.
        """
        for writer in self.writers:
            scripts.flush(writer())
        for candidate in gc.get_objects():
            if issubclass(type(candidate), WRITERS):  # isinstance() would ask a proxy what it stands for
                scripts.flush(candidate)

    def watch(self):
        """Tells the library of every file that modules came from."""
        if not hasattr(self.library, "sandboxd_warm_watch"):
            return
        self.library.sandboxd_warm_watch.restype = None
        for module in list(sys.modules.values()):
            loader = getattr(module, "__loader__", None)
            path = getattr(loader, "archive", None) or getattr(module, "__file__", None)
            if isinstance(path, str) and path not in self.watched:
                self.watched.add(path)
                self.library.sandboxd_warm_watch(os.fsencode(os.path.abspath(path)))

    def settle(self):
        """Before a fork: nothing that is there now is looked at by a child's collector, or written out by it."""
        self.watch()
        self.streams.renew()
        gc.unfreeze()
        gc.collect()
        streams = self.streams.objects()
        self.writers = [ref(one) for one in gc.get_objects() if issubclass(type(one), WRITERS) and id(one) not in streams]
        gc.freeze()

    def warm_up(self, block):
        """One request in the zygote itself. Whatever it does, the zygote goes on; a process that it made does not."""
        state, before = State(), set(sys.modules)
        status = scripts.FAILED
        with self.exits:
            try:
                status = self.application.answer(block)
            except BaseException as error:
                scripts.report(error)
            if os.getpid() != self.pid:
                self.end(status)
            self.exits.run()
        try:
            self.join()
            scripts.flush_streams(0)
            self.flush()
            self.application.forget()
            # Its process would be that of all children, and it has the request's standard error.
            tracker = sys.modules.get("multiprocessing.resource_tracker")
            if tracker:
                tracker._resource_tracker._stop()
        except BaseException as error:
            scripts.report(error)
        if hasattr(self.library, "sandboxd_warm_answered"):
            self.library.sandboxd_warm_answered()
        self.application.set_apart(before)
        self.environment.restore()
        state.restore()

    def join(self):
        """Waits for threads; those that stay make the zygote unfit, and the library says so."""
        threading = sys.modules.get("threading")
        for thread in threading.enumerate() if threading else ():
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join(JOIN_SECONDS)

    def end(self, status):
        """A child's, as the interpreter's own: threads, atexit, streams, and what is left of the script."""
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        if atexit._ncallbacks():
            try:
                atexit._run_exitfuncs()
            except BaseException:  # said before; from Python 3.10 on there is none
                pass
        status = scripts.flush_streams(status)
        self.flush()
        self.application.forget()
        # Destructors may have written something; what they could not has been said.
        for stream in (sys.stdout, sys.stderr):
            scripts.flush(stream)
        scripts.die(status)

    def serve(self, block, size):
        """In a child: its request, and its end."""
        try:
            variables = bytes_at(block, size)
            self.environment.place(block.value, variables)
            self.end(self.application.answer(variables))
        except BaseException as error:
            scripts.report(error, skipped=0)
        finally:
            scripts.die(scripts.FAILED)  # nothing may go back to the zygote's loop

    def run(self):
        api = ctypes.pythonapi
        before, in_child, in_parent = api.PyOS_BeforeFork, api.PyOS_AfterFork_Child, api.PyOS_AfterFork_Parent
        for hook in (before, in_child, in_parent):
            hook.restype = None
        block, size = ctypes.c_void_p(), ctypes.c_size_t()
        results = ctypes.byref(block), ctypes.byref(size)
        take = self.library.sandboxd_warm_take
        while True:
            self.settle()
            self.rehearse()
            self.application.prepare()
            self.environment.empty()
            before()
            taken = take(*results)
            if taken == 0:
                in_child()
                self.serve(block, size)
            in_parent()
            if taken != 1:
                print(f"sandboxd-runner: no request: {os.strerror(-taken)}", file=sys.stderr)
                return scripts.FAILED
            variables = bytes_at(block, size)
            self.environment.place(block.value, variables)
            self.warm_up(variables)


def serve(path, name=None):
    """Of a WSGI application, its `name`. Returns an exit status, when there is nothing more to do."""
    try:
        application = Wsgi(path, name) if name else Python(path)
    except BaseException as error:
        scripts.report(error, skipped=0)
        return scripts.FAILED
    if isinstance(application.script, int):  # there is none, and the reason was said
        return application.script
    return Zygote(application).run()
