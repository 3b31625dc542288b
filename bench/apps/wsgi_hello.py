# SPDX-License-Identifier: Apache-2.0
"""hello.c as a WSGI application."""

import os
import time


def application(environ, start_response):
    if environ.get("QUERY_STRING") == "hold":
        time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"hello from {os.getpid()}\n".encode()]
