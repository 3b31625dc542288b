/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to meet a request of another identity on a socket in the abstract namespace.
 *
 * Control: identity
 * Run: beside another identity
 * Service: unix
 * Expect: ECONNREFUSED
 */
#include <sys/un.h>

#include "probe.h"

int main(void)
{
        const char *name = argument("name", "/sandboxd-probe");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        socklen_t length = (socklen_t)(sizeof(sa_family_t) + 1 + strlen(name));
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strncpy(address.sun_path + 1, name, sizeof(address.sun_path) - 2);
        if (fd < 0)
                contained();
        if (is_phase("victim")) {
                if (bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 5) < 0)
                        contained();
                left("listening");
                sleep(60);
                return 0;
        }
        if (connect(fd, (struct sockaddr *)&address, length) < 0)
                contained();
        escaped("reached another identity's socket");
}
