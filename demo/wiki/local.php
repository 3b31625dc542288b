<?php
// SPDX-License-Identifier: Apache-2.0
// The demo's DokuWiki: anybody may edit, and nothing leaves the machine.
$conf['title'] = 'sandboxd demo';
$conf['license'] = '';
$conf['useacl'] = 0;
$conf['updatecheck'] = 0;
$conf['savedir'] = '/var/lib/dokuwiki/data';
