/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to write into the memory of its parent, inside the request's init, which has the same uid.
 *        Whether access is granted shows even where the address is not mapped: EFAULT comes after the
 *        permission.
 *
 * Control: identity (under a parent of the same uid)
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "probe.h"

int main(void)
{
        char byte = 0;
        struct iovec local = {&byte, 1}, remote = {(void *)4096, 1};
        pid_t parent = parent_or_init();

        if (process_vm_writev(parent, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT)
                escaped("may write into its parent's memory");
        if (ptrace(PTRACE_SEIZE, parent, NULL, NULL) == 0)
                escaped("traces its parent");
        contained();
}
