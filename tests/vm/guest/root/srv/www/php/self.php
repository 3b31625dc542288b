<?php
// SPDX-License-Identifier: Apache-2.0
header('Content-Type: application/json');
$cache = opcache_get_status(false);
echo json_encode(['uid' => posix_getuid(), 'pid' => posix_getpid(), 'ppid' => posix_getppid(), 'sapi' => php_sapi_name(),
    'cached' => $cache ? $cache['opcache_statistics']['num_cached_scripts'] : -1]);
