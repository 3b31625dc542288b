<?php
// SPDX-License-Identifier: Apache-2.0
// Begins an answer and goes on.
echo "here\n";
flush();
sleep(300);
