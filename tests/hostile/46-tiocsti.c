/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to push a character into the input of a terminal: its own descriptors and /dev/tty.
 *
 * Control: terminal (root on a terminal)
 * Run: alone
 * Expect: ENOTTY EPERM ENOENT ENXIO EACCES
 */
#include <sys/ioctl.h>

#include "probe.h"

int main(void)
{
        int tty = open("/dev/tty", O_RDWR);

        for (int fd = 0; fd < 3; fd++)
                if (ioctl(fd, TIOCSTI, "\n") == 0 || syscall(SYS_ioctl, fd, 0x100000000UL | TIOCSTI, "\n") == 0)
                        escaped("typed on descriptor %d", fd);
        if (tty >= 0 && ioctl(tty, TIOCSTI, "\n") == 0)
                escaped("typed on /dev/tty");
        contained();
}
