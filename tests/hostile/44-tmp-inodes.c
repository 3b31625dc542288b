/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to fill kernel memory with 100,000 empty files in /tmp, which no size limit counts. It removes
 *        them.
 *
 * Control: identity
 * Run: alone
 * Expect: ENOSPC EDQUOT
 */
#include "probe.h"

int main(void)
{
        char folder[] = "/tmp/sandboxd-probe-XXXXXX", path[64];
        int made = 0, error = 0;

        if (!mkdtemp(folder))
                contained();
        for (; made < 100000; made++) {
                snprintf(path, sizeof(path), "%s/%d", folder, made);
                if (mknod(path, S_IFREG | 0600, 0) < 0) {
                        error = errno;
                        break;
                }
        }
        for (int i = 0; i < made; i++) {
                snprintf(path, sizeof(path), "%s/%d", folder, i);
                unlink(path);
        }
        rmdir(folder);
        errno = error;
        if (made < 100000)
                contained();
        escaped("made 100,000 files");
}
