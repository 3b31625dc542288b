/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave a POSIX message queue for the next request of the same identity.
 *
 * Control: identity
 * Run: next
 * Expect: ENOENT EPERM ENOSYS
 */
#include <mqueue.h>

#include "probe.h"

int main(void)
{
        struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 64};
        const char *name = argument("name", "/sandboxd-probe");
        char message[64] = "";
        mqd_t queue;

        if (is_phase("leave")) {
                queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
                if (queue < 0 || mq_send(queue, "hello", 6, 0) < 0)
                        contained();
                left("a message");
                return 0;
        }
        queue = mq_open(name, O_RDONLY | O_NONBLOCK);
        if (queue < 0 || mq_receive(queue, message, sizeof(message), NULL) < 0)
                contained();
        mq_unlink(name);
        escaped("the message says %.20s", message);
}
