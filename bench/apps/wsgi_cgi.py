#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wsgi_hello.py as a CGI program, as the standard library does it."""

from wsgiref.handlers import CGIHandler

from wsgi_hello import application

CGIHandler().run(application)
