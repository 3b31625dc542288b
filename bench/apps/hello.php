<?php
// SPDX-License-Identifier: Apache-2.0
// hello.c in PHP.
if (($_SERVER['QUERY_STRING'] ?? '') === 'hold') {
    usleep(20000);
}
header('Content-Type: text/plain');
echo 'hello from ', getmypid(), "\n";
