/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests' application: QUERY_STRING says what it does, as "mode" or "mode:argument". Static, so that its
 * root needs no library. What it reports it asks the kernel, for there is no /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static void start_response(void)
{
        fputs("Content-Type: text/plain\r\n\r\n", stdout);
        fflush(stdout);
}

static void put_string(const char *text)
{
        putchar('"');
        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                if (*c < 0x20 || *c == '"' || *c == '\\' || *c > 0x7e)
                        printf("\\u%04x", *c);
                else
                        putchar(*c);
        putchar('"');
}

static void report_ids(void)
{
        unsigned r, e, s;
        gid_t groups[256];
        int n;

        getresuid(&r, &e, &s);
        printf("\"uid\":[%u,%u,%u],", r, e, s);
        getresgid(&r, &e, &s);
        printf("\"gid\":[%u,%u,%u],\"groups\":[", r, e, s);
        n = getgroups(256, groups);
        for (int i = 0; i < n; i++)
                printf("%s%u", i ? "," : "", groups[i]);
        printf("],\"pid\":%d,\"ppid\":%d,\"sid\":%d,\"pgid\":%d,", getpid(), getppid(), getsid(0), getpgrp());
}

static void report_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];
        unsigned long bounding = 0, ambient = 0;

        memset(data, 0xff, sizeof(data));
        if (syscall(SYS_capget, &header, data) < 0)
                memset(data, 0xff, sizeof(data));
        for (unsigned long i = 0; i < 64; i++) {
                if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0)
                        bounding |= 1UL << i;
                if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) > 0)
                        ambient |= 1UL << i;
        }
        printf("\"cap_effective\":%lu,\"cap_permitted\":%lu,\"cap_inheritable\":%lu,",
                data[0].effective | (unsigned long)data[1].effective << 32,
                data[0].permitted | (unsigned long)data[1].permitted << 32,
                data[0].inheritable | (unsigned long)data[1].inheritable << 32);
        /* PR_CAPBSET_READ must answer at all: an error would look like an empty set. */
        printf("\"cap_bounding\":%lu,\"cap_ambient\":%lu,\"bounding_readable\":%d,", bounding, ambient,
                prctl(PR_CAPBSET_READ, 0, 0, 0, 0) >= 0);
}

static void report_descriptors(void)
{
        int first = 1;

        fputs("\"fds\":{", stdout);
        for (int fd = 0; fd < 65536; fd++) {
                struct stat st;

                if (fstat(fd, &st) < 0)
                        continue;
                printf("%s\"%d\":[\"%s\",%d]", first ? "" : ",", fd, S_ISFIFO(st.st_mode) ? "pipe" : "other",
                        fcntl(fd, F_GETFL) & O_ACCMODE);
                first = 0;
        }
        fputs("},", stdout);
}

static void report_limit(const char *name, int resource)
{
        struct rlimit limit = {0};

        getrlimit((__rlimit_resource_t)resource, &limit);
        printf("\"%s\":[%ld,%ld],", name, (long)limit.rlim_cur, (long)limit.rlim_max);
}

static void report_signals(void)
{
        sigset_t blocked;
        int first = 1;

        sigprocmask(SIG_BLOCK, NULL, &blocked);
        fputs("\"ignored\":[", stdout);
        for (int i = 1; i < 64; i++) {
                struct sigaction action;

                if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
                        printf("%s%d", first ? "" : ",", i);
                        first = 0;
                }
        }
        first = 1;
        fputs("],\"blocked\":[", stdout);
        for (int i = 1; i < 64; i++)
                if (sigismember(&blocked, i) == 1) {
                        printf("%s%d", first ? "" : ",", i);
                        first = 0;
                }
        fputs("],", stdout);
}

/*
 * The process's SELinux context, which its own end of a pair of sockets carries (SO_PEERSEC, unix(7)): attr/current
 * would need a /proc. Empty where the kernel has none.
 */
static void report_context(void)
{
        char context[4096] = "";
        socklen_t size = sizeof(context) - 1;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
                if (getsockopt(pair[0], SOL_SOCKET, SO_PEERSEC, context, &size) < 0)
                        context[0] = '\0';
                close(pair[0]);
                close(pair[1]);
        }
        fputs("\"context\":", stdout);
        put_string(context);
        putchar(',');
}

static void report(int argc, char **argv)
{
        char cwd[4096] = "";
        mode_t mask = umask(0);

        umask(mask);
        fputs("Content-Type: application/json\r\n\r\n{", stdout);
        report_ids();
        report_capabilities();
        report_descriptors();
        report_context();
        report_signals();
        report_limit("nofile", RLIMIT_NOFILE);
        report_limit("nproc", RLIMIT_NPROC);
        report_limit("as", RLIMIT_AS);
        report_limit("core", RLIMIT_CORE);
        report_limit("fsize", RLIMIT_FSIZE);
        report_limit("cpu", RLIMIT_CPU);
        printf("\"seccomp\":%d,\"no_new_privs\":%d,\"umask\":%d,\"nice\":%d,", prctl(PR_GET_SECCOMP, 0, 0, 0, 0),
                prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), mask, getpriority(PRIO_PROCESS, 0));
        printf("\"proc\":%d,\"tmp\":%d,\"cwd\":", access("/proc/self", F_OK) == 0, access("/tmp", F_OK) == 0);
        put_string(getcwd(cwd, sizeof(cwd)) ? cwd : "");
        fputs(",\"argv\":[", stdout);
        for (int i = 0; i < argc; i++) {
                if (i)
                        putchar(',');
                put_string(argv[i]);
        }
        fputs("],\"env\":[", stdout);
        for (char **variable = environ; *variable; variable++) {
                if (variable != environ)
                        putchar(',');
                put_string(*variable);
        }
        fputs("]}\n", stdout);
}

/* Copies stdin to stdout; returns the number of bytes. */
static unsigned long copy(int output)
{
        static char buffer[65536];
        unsigned long total = 0;
        ssize_t n;

        while ((n = read(0, buffer, sizeof(buffer))) > 0) {
                for (ssize_t done = 0; output && done < n;) {
                        ssize_t written = write(1, buffer + done, (size_t)(n - done));

                        if (written < 0)
                                _exit(3);
                        done += written;
                }
                total += (unsigned long)n;
        }
        return total;
}

static void generate(unsigned long bytes)
{
        static char buffer[65536];

        memset(buffer, 'x', sizeof(buffer));
        while (bytes > 0) {
                size_t wanted = bytes < sizeof(buffer) ? bytes : sizeof(buffer);
                ssize_t n = write(1, buffer, wanted);

                if (n < 0)
                        _exit(3);
                bytes -= (unsigned long)n;
        }
}

/* A descendant in a session of its own, orphaned, deaf to what it may ignore, holding no descriptor. */
static void daemonize(void)
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
        for (;;)
                sleep(600);
}

/*
 * What makes this process itself and no other: AT_RANDOM are 16 bytes that the kernel draws at each execve
 * (getauxval(3)), and the inode number of a pidfd on pidfs (Linux 6.9) is never given twice while the system
 * runs.
 */
static void unique(void)
{
        const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
        int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        struct statfs fs;
        struct stat st;

        start_response();
        for (int i = 0; i < 16; i++)
                printf("%02x", random[i]);
        if (pidfd >= 0 && fstatfs(pidfd, &fs) == 0 && fs.f_type == 0x50494446 && fstat(pidfd, &st) == 0)
                printf(" %lu", (unsigned long)st.st_ino);
        else
                fputs(" none", stdout);
        printf(" %d %d\n", getpid(), getppid());
}

/* Memory that is really there: each page is written to. */
static void take_memory(unsigned long megabytes)
{
        for (unsigned long i = 0; i < megabytes; i++) {
                char *block = malloc(1 << 20);

                if (!block)
                        exit(4);
                memset(block, (int)i + 1, 1 << 20);
        }
}

static void fork_for_ever(void)
{
        signal(SIGCHLD, SIG_IGN);
        for (;;)
                if (fork() < 0)
                        usleep(1000);
}

static int is(const char *mode, const char *name)
{
        size_t length = strlen(name);

        return strncmp(mode, name, length) == 0 && (mode[length] == '\0' || mode[length] == ':');
}

int main(int argc, char **argv)
{
        const char *mode = getenv("QUERY_STRING") ? getenv("QUERY_STRING") : "report";
        const char *argument = strchr(mode, ':') ? strchr(mode, ':') + 1 : "";

        if (is(mode, "report")) {
                report(argc, argv);
        } else if (is(mode, "echo")) {
                start_response();
                copy(1);
        } else if (is(mode, "raw")) {
                copy(1);
        } else if (is(mode, "count")) {
                start_response();
                printf("%lu\n", copy(0));
        } else if (is(mode, "unread")) {
                start_response();
                puts("not read");
        } else if (is(mode, "generate")) {
                start_response();
                generate(strtoul(argument, NULL, 10));
        } else if (is(mode, "burst")) {
                start_response();
                generate(strtoul(argument, NULL, 10));
                printf("then %lu\n", copy(0));
        } else if (is(mode, "spew")) {
                start_response();
                generate(~0UL);
        } else if (is(mode, "stderr")) {
                start_response();
                fprintf(stderr, "%s\n", argument);
                puts("wrote to stderr");
        } else if (is(mode, "exit")) {
                exit(atoi(argument));
        } else if (is(mode, "respond-exit")) {
                start_response();
                puts("then exit");
                fflush(stdout);
                exit(atoi(argument));
        } else if (is(mode, "signal")) {
                raise(atoi(argument));
        } else if (is(mode, "hold")) {
                start_response();
                sleep(600);
        } else if (is(mode, "never")) {
                sleep(600);
        } else if (is(mode, "slow")) {
                usleep((useconds_t)atoi(argument) * 1000);
                start_response();
                puts("slept");
        } else if (is(mode, "memory")) {
                take_memory(strtoul(argument, NULL, 10));
                start_response();
                puts("had it");
        } else if (is(mode, "daemon")) {
                daemonize();
                start_response();
                puts("left a daemon");
        } else if (is(mode, "family")) {
                daemonize();
                daemonize();
                sleep(600);
        } else if (is(mode, "forks")) {
                fork_for_ever();
        } else if (is(mode, "unique")) {
                unique();
        } else if (is(mode, "cat")) {
                int fd = open(argument, O_RDONLY);
                char buffer[4096];
                ssize_t n;

                start_response();
                if (fd < 0 || (n = read(fd, buffer, sizeof(buffer))) < 0)
                        printf("failed: %s\n", strerrorname_np(errno));
                else
                        fwrite(buffer, 1, (size_t)n, stdout);
        } else if (is(mode, "create")) {
                int fd = open(argument, O_WRONLY | O_CREAT | O_EXCL, 0666);

                start_response();
                puts(fd >= 0 ? "created" : strerrorname_np(errno));
        } else if (is(mode, "signal-to")) {
                start_response();
                puts(kill(atoi(argument), SIGURG) == 0 ? "done" : strerrorname_np(errno));
        } else if (is(mode, "trace")) {
                start_response();
                puts(ptrace(PTRACE_SEIZE, atoi(argument), NULL, NULL) == 0 ? "done" : strerrorname_np(errno));
        } else {
                return 64;
        }
        return fflush(stdout) == 0 ? 0 : 3;
}
