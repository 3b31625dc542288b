# SPDX-License-Identifier: Apache-2.0
"""run_wsgi.py MODULE:CALLABLE: serves one request to a WSGI application, as a CGI program."""

import importlib
import sys
from wsgiref.handlers import CGIHandler

module, _, name = sys.argv[1].partition(":")
CGIHandler().run(getattr(importlib.import_module(module), name or "application"))
