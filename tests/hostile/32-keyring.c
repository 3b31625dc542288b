/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave a key in the user's keyring, which belongs to the uid, for the next request.
 *
 * Control: identity
 * Run: next
 * Expect: EPERM ENOSYS
 */
#include <linux/keyctl.h>

#include "probe.h"

int main(void)
{
        const char *name = argument("name", "/sandboxd-probe");
        char text[32] = "";
        long key;

        if (is_phase("leave")) {
                if (syscall(SYS_add_key, "user", name, "hello", 6, KEY_SPEC_USER_KEYRING) < 0)
                        contained();
                left("a key");
                return 0;
        }
        key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", name, 0);
        if (key < 0 || syscall(SYS_keyctl, KEYCTL_LINK, key, KEY_SPEC_PROCESS_KEYRING) < 0 ||
                syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof(text)) < 0)
                contained();
        syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_USER_KEYRING);
        escaped("the key says %.20s", text);
}
