#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A CGI script (RFC 3875): it is executed itself, for each request anew."""

import os

print("Content-Type: text/plain; charset=utf-8")
print()
print(f"Hello, {os.environ.get('REMOTE_USER') or 'anonymous'}.")
print(f"This script runs as uid {os.getuid()}, gid {os.getgid()}, pid {os.getpid()}.")
