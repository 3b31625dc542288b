#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Begins an answer and goes on."""
import time

print("Content-Type: text/plain\n", flush=True)
time.sleep(300)
