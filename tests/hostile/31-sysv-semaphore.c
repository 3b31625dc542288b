/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave a value in a System V semaphore for the next request of the same identity.
 *
 * Control: identity
 * Run: next
 * Expect: ENOENT EPERM ENOSYS
 */
#include <sys/ipc.h>
#include <sys/sem.h>

#include "probe.h"

int main(void)
{
        key_t key = (key_t)strtoul(argument("key", "4711"), NULL, 10);
        int id = semget(key, 1, is_phase("leave") ? IPC_CREAT | 0600 : 0);
        int value;

        if (id < 0)
                contained();
        if (is_phase("leave")) {
                if (semctl(id, 0, SETVAL, 42) < 0)
                        contained();
                left("a semaphore");
                return 0;
        }
        value = semctl(id, 0, GETVAL);
        semctl(id, 0, IPC_RMID);
        escaped("the semaphore says %d", value);
}
