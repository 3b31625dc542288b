/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to write into its root: into a folder bound read-only that anyone may write outside.
 *
 * Control: identity
 * Run: alone
 * Expect: EROFS
 */
#include "probe.h"

int main(void)
{
        char path[512];

        snprintf(path, sizeof(path), "%s/new", argument("shared", "/shared"));
        if (mkdir(path, 0755) < 0)
                contained();
        rmdir(path);
        escaped("made a folder in a read-only bind");
}
