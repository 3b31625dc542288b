# SPDX-License-Identifier: Apache-2.0
"""What an application zygote serves: a WSGI application, or CGI scripts. A child's time is spent here."""

import gc
import os
import sys

import sandboxd_script as scripts

REHEARSED_BLOCK = b"".join(
    [
        b"REQUEST_METHOD=GET\0QUERY_STRING=a=b\0SCRIPT_NAME=/a\0PATH_INFO=/b\0SERVER_NAME=localhost\0SERVER_PORT=80\0",
        b"SERVER_PROTOCOL=HTTP/1.1\0REMOTE_ADDR=127.0.0.1\0HTTP_HOST=localhost\0HTTP_ACCEPT=*/*\0PATH=/usr/bin:/bin\0",
        b"GATEWAY_INTERFACE=CGI/1.1\0REQUEST_URI=/a/b?a=b\0SERVER_ADDR=127.0.0.1\0REMOTE_PORT=1024\0DOCUMENT_ROOT=/\0",
    ]
)
REHEARSED_SCRIPT = b"""import os
import sys
print("Content-Type: text/plain")
print()
print(os.environ.get("QUERY_STRING", ""))
"""


def rehearsed_application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [environ["PATH_INFO"].encode()]


class Wsgi:
    """A WSGI application."""

    script = namespace = None

    def __init__(self, path, name):
        import sandboxd_wsgi

        self.wsgi = sandboxd_wsgi
        self.application = sandboxd_wsgi.load(path, name)

    def prepare(self):
        self.wsgi.prepare()

    def answer(self, block):
        text = block.decode("latin-1")
        return self.wsgi.run(self.application, dict([variable.split("=", 1) for variable in text.split("\0")[:-1]]))

    def forget(self):
        pass

    def set_apart(self, before):
        pass

    def rehearse(self, block):
        application, self.application = self.application, rehearsed_application
        self.answer(block)
        self.application = application


class Python:
    """CGI scripts: one, or those that requests name."""

    def __init__(self, path):
        self.base = tuple(sys.path[1:])  # Python's own; the script's folder comes before
        self.scripts = {}  # by path
        self.fixed = path
        self.script = self.module = self.namespace = None
        if path is not None:
            self.script = scripts.load(path)
            if not isinstance(self.script, int):
                scripts.use_folder(self.script.folder)

    def prepare(self):
        """Before a fork: the module that the script will run in."""
        if self.fixed is not None:
            self.module = self.script.main()

    def find(self, path):
        """The script as it is now; or how the process is to end."""
        script = self.scripts.get(path)
        try:
            if script is not None and script.stamp == scripts.stamp_of(os.stat(path)):
                return script
        except OSError:
            pass
        script = scripts.load(path)
        if not isinstance(script, int):
            self.scripts[path] = script
        return script

    def answer(self, block):
        script = self.script
        if self.fixed is None:
            path = scripts.named()
            script = self.find(path) if path else scripts.MISUSED
            if isinstance(script, int):
                return script
            sys.argv[:] = [path]
            scripts.use_folder(script.folder)
            sys.modules.update(script.modules)
            self.module = script.main()
        sys.modules["__main__"] = self.module
        self.namespace = self.module.__dict__
        return scripts.run(script, self.module)

    def forget(self):
        """Ends what the script has left as the interpreter does at its end, also what refers to itself."""
        self.module = self.namespace = None
        sys.modules["__main__"] = None
        gc.collect()

    def set_apart(self, before):
        """
        Modules that were found in a folder of the script's own are for that script alone: in another folder the same
        name may be another module.
        """
        script = self.scripts.get(os.environ.get("SCRIPT_FILENAME"))
        if self.fixed is not None or script is None:
            return
        for name in [name for name in sys.modules if name not in before]:
            file = getattr(sys.modules[name], "__file__", None)
            if name in script.modules or (file and not file.startswith(self.base)):
                script.modules[name] = sys.modules.pop(name)

    def rehearse(self, block):
        kept = self.fixed, self.script
        self.fixed = os.path.abspath(scripts.__file__)
        self.script = scripts.Script(self.fixed, REHEARSED_SCRIPT)
        self.prepare()
        self.answer(block)
        self.forget()
        self.fixed, self.script = kept
