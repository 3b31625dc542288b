/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to reach a socket in the abstract namespace of the host.
 *
 * Control: identity
 * Run: alone
 * Service: unix
 * Expect: ECONNREFUSED
 */
#include <sys/un.h>

#include "probe.h"

int main(void)
{
        const char *name = argument("abstract", "none");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strncpy(address.sun_path + 1, name, sizeof(address.sun_path) - 2);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + 1 + strlen(name))) < 0)
                contained();
        escaped("reached a socket of the host");
}
