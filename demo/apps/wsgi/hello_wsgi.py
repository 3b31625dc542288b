# SPDX-License-Identifier: Apache-2.0
"""A WSGI application (PEP 3333) like any other: nothing in it knows how it is run."""

import os


def application(environ, start_response):
    user = environ.get("REMOTE_USER") or "anonymous"
    path = environ.get("PATH_INFO") or "/"
    body = f"Hello, {user}, from WSGI as uid {os.getuid()}. The path is {path}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
