/* SPDX-License-Identifier: Apache-2.0 */

/*
 * In the place of warm/'s stand-in for accept(2), for the tests: says on standard output what an application zygote
 * finds before the application's first instruction, and what the kernel answers to it then. "NAME\tVALUE\0" each.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/warm.h"

extern char **environ;

__attribute__((format(printf, 2, 3))) static void say(const char *name, const char *format, ...)
{
        va_list arguments;

        printf("%s\t", name);
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        putchar('\0');
}

static int answer(long r)
{
        return r < 0 ? errno : 0;
}

static void say_descriptors(void)
{
        for (int fd = 0; fd < 1024; fd++) {
                int flags = fcntl(fd, F_GETFD), type = 0;
                socklen_t length = sizeof(type);
                struct stat st;

                if (flags < 0 || fstat(fd, &st) < 0)
                        continue;
                if (S_ISSOCK(st.st_mode))
                        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
                say("descriptor", "%d %o %d %d", fd, st.st_mode & S_IFMT, type, flags);
        }
}

static void say_processes(void)
{
        int fd = openat(WARM_FD_PROC, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status, processes = 0;
        DIR *folder = fdopendir(fd);
        struct dirent *entry;
        char text[8192];
        ssize_t n;

        while (folder && (entry = readdir(folder))) {
                processes += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
                if (strcmp(entry->d_name, "sys") == 0 || strcmp(entry->d_name, "meminfo") == 0)
                        say("whole procfs", "yes");
        }
        say("processes", "%d", processes);
        status = openat(WARM_FD_PROC, "self/status", O_RDONLY | O_CLOEXEC);
        n = read(status, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = '\0';
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
                char *value = strchr(line, ':');

                if (!value)
                        continue;
                *value = '\0';
                say(line, "%s", value + 2);
        }
}

static int attach_filter(void)
{
        static struct sock_filter filter[4096];
        const char *digits = getenv(WARM_VARIABLE_FILTER);
        size_t size = digits ? strlen(digits) / 2 : 0;
        struct sock_fprog program = {.len = (unsigned short)(size / sizeof(filter[0])), .filter = filter};

        for (size_t i = 0; i < size && i < sizeof(filter); i++) {
                unsigned byte;

                if (sscanf(digits + 2 * i, "%2x", &byte) != 1)
                        return EINVAL;
                ((unsigned char *)filter)[i] = (unsigned char)byte;
        }
        for (size_t i = 0; i < program.len; i++)
                if (filter[i].k == WARM_FILTER_PID)
                        filter[i].k = (unsigned)getpid();
        return answer(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

/* What only a zygote may do, asked with arguments that the kernel refuses: the filter's answer is another one. */
static void say_calls(const char *when)
{
        char name[64];

        snprintf(name, sizeof(name), "clone3 %s", when);
        say(name, "%d", answer(syscall(SYS_clone3, NULL, 0)));
        snprintf(name, sizeof(name), "seccomp %s", when);
        say(name, "%d", answer(syscall(SYS_seccomp, 99, 0, NULL)));
        snprintf(name, sizeof(name), "landlock_restrict_self %s", when);
        say(name, "%d", answer(syscall(SYS_landlock_restrict_self, -1, 99)));
}

__attribute__((constructor)) static void begin(void)
{
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);
        char directory[4096];

        if (!getenv(WARM_VARIABLE))
                return;
        for (char **variable = environ; *variable; variable++)
                say("variable", "%s", *variable);
        say_descriptors();
        say("peer of standard input", "%d", answer(getpeername(STDIN_FILENO, (struct sockaddr *)&peer, &length)));
        say("directory", "%s", getcwd(directory, sizeof(directory)));
        say("write beside the library", "%d", answer(open(WARM_FOLDER "/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
        say("write to /tmp", "%d", answer(open("/tmp/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
        say_processes();
        say_calls("before");
        say("domain", "%d", answer(syscall(SYS_landlock_restrict_self, WARM_FD_LANDLOCK, 0)));
        say("filter", "%d", attach_filter());
        say_calls("after");
        fflush(stdout);
        _exit(0);
}
