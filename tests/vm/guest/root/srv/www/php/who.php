<?php
// SPDX-License-Identifier: Apache-2.0
header('Content-Type: text/plain; charset=utf-8');
echo 'Hello, ', $_SERVER['REMOTE_USER'] ?? 'anonymous', ', from PHP as uid ', posix_getuid(), ".\n";
