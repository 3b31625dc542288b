/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to outlive its request as a daemon that writes a file into a writable folder 1.5 s later.
 *
 * Control: identity
 * Run: next
 * Pause: 2.5
 * Expect: ENOENT
 */
#include "probe.h"

static void daemonize(const char *path)
{
        if (fork() != 0)
                return;
        setsid();
        if (fork() != 0)
                _exit(0);
        for (int i = 1; i < 32; i++)
                signal(i, SIG_IGN);
        for (int fd = 0; fd < 3; fd++)
                close(fd);
        usleep(1500000);
        close(open(path, O_WRONLY | O_CREAT, 0600));
        _exit(0);
}

int main(void)
{
        char path[512];

        snprintf(path, sizeof(path), "%s%s.outlived", argument("data", "/data"), argument("name", "/sandboxd-probe"));
        if (is_phase("leave")) {
                char trial[600];
                int fd;

                snprintf(trial, sizeof(trial), "%s.trial", path);
                fd = open(trial, O_WRONLY | O_CREAT, 0600); /* the folder is writable: the absence means something */
                if (fd < 0)
                        contained_by("the folder is not writable");
                daemonize(path);
                left("a daemon");
                return 0;
        }
        if (access(path, F_OK) < 0)
                contained();
        escaped("the daemon wrote after its request");
}
