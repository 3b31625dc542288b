/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave a System V shared memory segment for the next request of the same identity.
 *
 * Control: identity
 * Run: next
 * Expect: ENOENT EPERM ENOSYS
 */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "probe.h"

int main(void)
{
        key_t key = (key_t)strtoul(argument("key", "4711"), NULL, 10);
        int id = shmget(key, 4096, is_phase("leave") ? IPC_CREAT | 0600 : 0);
        char *memory = id < 0 ? NULL : shmat(id, NULL, 0);

        if (!memory || memory == (char *)-1)
                contained();
        if (is_phase("leave")) {
                strcpy(memory, "hello");
                left("a segment");
                return 0;
        }
        shmctl(id, IPC_RMID, NULL);
        escaped("the segment says %.20s", memory);
}
