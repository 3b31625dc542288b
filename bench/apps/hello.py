#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""hello.c as a CGI script."""

import os
import time

if os.environ.get("QUERY_STRING") == "hold":
    time.sleep(0.02)
print("Content-Type: text/plain")
print()
print(f"hello from {os.getpid()}")
