/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to make a socket of any family at all, where RestrictAddressFamilies=none.
 *
 * Control: identity
 * Run: alone
 * Expect: EAFNOSUPPORT EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
        int error = EAFNOSUPPORT, pair[2];

        for (int family = 0; family < 64; family++)
                for (size_t i = 0; i < 4; i++) {
                        if (socket(family, types[i], 0) >= 0)
                                escaped("has a socket of family %d, type %d", family, types[i]);
                        if (family == AF_INET && i == 0)
                                error = errno;
                }
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
                left("a socket pair, which reaches nobody");
        errno = error;
        contained();
}
