/* SPDX-License-Identifier: Apache-2.0 */

/*
 * probe: a CGI program that reports what it is and what it may do, by asking the kernel itself.
 *
 * With the query string "json" it answers JSON, otherwise a page that shows the same. A fact that cannot be
 * had is null, and "errors" names its errno; what only /proc tells is null in a root without /proc. Bytes
 * outside ASCII appear as \u0080 to \u00ff: a reader gets the very bytes by encoding a string as Latin-1.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

enum { DESCRIPTORS_LOOKED_AT = 1024 };

/*
 * write() writes one JSON value and returns 0, or a negative errno; what it wrote until then is thrown away.
 * It gets `argument`, which says which of several like facts is meant.
 */
struct fact {
        const char *name;
        int (*write)(FILE *out, int argument);
        int argument;
};

/* JSON, RFC 8259. What HTML would take for markup is escaped too, so that the page can show it as it is. */

static void json_string(FILE *out, const char *text)
{
        fputc('"', out);
        for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
                if (*c < 0x20 || *c >= 0x7f || strchr("\"\\<>&", *c))
                        fprintf(out, "\\u%04x", *c);
                else
                        fputc(*c, out);
        }
        fputc('"', out);
}

/* Goes before each element of an array: a comma, but for the first. */
static void json_separate(FILE *out, bool *first)
{
        if (!*first)
                fputs(", ", out);
        *first = false;
}

/* Begins a member of an object; its value comes next. */
static void json_name(FILE *out, bool *first, const char *name)
{
        json_separate(out, first);
        json_string(out, name);
        fputs(": ", out);
}

static int json_number(FILE *out, long number)
{
        fprintf(out, "%ld", number);
        return 0;
}

/* Who it is */

enum { PID, PPID, SID };

static int write_process_id(FILE *out, int which)
{
        pid_t id = which == PID ? getpid() : which == PPID ? getppid() : getsid(0);

        return id < 0 ? -errno : json_number(out, id);
}

static int write_uid(FILE *out, int argument)
{
        uid_t real, effective, saved;

        (void)argument;
        if (getresuid(&real, &effective, &saved) < 0)
                return -errno;
        fprintf(out, "[%u, %u, %u]", real, effective, saved);
        return 0;
}

static int write_gid(FILE *out, int argument)
{
        gid_t real, effective, saved;

        (void)argument;
        if (getresgid(&real, &effective, &saved) < 0)
                return -errno;
        fprintf(out, "[%u, %u, %u]", real, effective, saved);
        return 0;
}

static int write_groups(FILE *out, int argument)
{
        static gid_t groups[65536]; /* NGROUPS_MAX */
        int n = getgroups((int)ELEMENTS(groups), groups);
        bool first = true;

        (void)argument;
        if (n < 0)
                return -errno;
        fputc('[', out);
        for (int i = 0; i < n; i++) {
                json_separate(out, &first);
                json_number(out, (long)groups[i]);
        }
        fputc(']', out);
        return 0;
}

/* What it may do. Capability sets look as in /proc/self/status: sixteen hexadecimal digits. */

static int write_set(FILE *out, uint64_t set)
{
        fprintf(out, "\"%016jx\"", (uintmax_t)set);
        return 0;
}

enum { EFFECTIVE, PERMITTED, INHERITABLE };

static int write_capabilities(FILE *out, int which)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];
        uint64_t set = 0;

        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        for (int i = 0; i < 2; i++) {
                const uint32_t sets[] = {data[i].effective, data[i].permitted, data[i].inheritable};

                set |= (uint64_t)sets[which] << (32 * i);
        }
        return write_set(out, set);
}

static int has_capability(int option, unsigned long capability)
{
        if (option == PR_CAPBSET_READ)
                return prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, capability, 0, 0);
}

/* prctl(2) tells of one capability at a time, and EINVAL after the last one that the kernel knows. */
static int write_capabilities_by_prctl(FILE *out, int option)
{
        uint64_t set = 0;
        int r;

        for (unsigned long capability = 0; capability < 64; capability++) {
                r = has_capability(option, capability);
                if (r < 0 && errno == EINVAL && capability > 0)
                        break;
                if (r < 0)
                        return -errno;
                set |= (uint64_t)r << capability;
        }
        return write_set(out, set);
}

static int write_prctl(FILE *out, int option)
{
        int r = prctl(option, 0, 0, 0, 0);

        return r < 0 ? -errno : json_number(out, r);
}

static int write_context(FILE *out, int argument)
{
        char context[4096];
        ssize_t length;
        int fd = open("/proc/thread-self/attr/current", O_RDONLY | O_CLOEXEC), error;

        (void)argument;
        if (fd < 0)
                return -errno;
        length = read(fd, context, sizeof(context) - 1);
        error = errno;
        close(fd);
        if (length < 0)
                return -error;
        context[length] = '\0';
        json_string(out, context);
        return 0;
}

enum { UID, GID };

static int write_regaining_root(FILE *out, int which)
{
        int r = which == UID ? setresuid(0, 0, 0) : setresgid(0, 0, 0);
        const char *error = strerrorname_np(errno);

        if (r == 0)
                fputs("{\"worked\": true, \"errno\": null}", out);
        else
                fprintf(out, "{\"worked\": false, \"errno\": \"%s\"}", error ? error : "unknown");
        return 0;
}

/* What it sees */

static int write_root(FILE *out, int argument)
{
        struct dirent **entries;
        struct stat st;
        bool first = true;
        int n;

        (void)argument;
        if (stat("/", &st) < 0)
                return -errno;
        n = scandir("/", &entries, NULL, alphasort);
        if (n < 0)
                return -errno;
        fprintf(out, "{\"device\": %ju, \"inode\": %ju, \"entries\": [", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        for (int i = 0; i < n; i++) {
                if (strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0)
                        continue;
                json_separate(out, &first);
                json_string(out, entries[i]->d_name);
        }
        fputs("]}", out);
        return 0;
}

/* namespaces(7): the links read "pid:[4026531836]"; the number is the namespace's inode. */
static int read_namespace(const char *name, unsigned long *ret_inode)
{
        char path[64], link[64];
        ssize_t length;

        snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
        length = readlink(path, link, sizeof(link) - 1);
        if (length < 0)
                return -errno;
        link[length] = '\0';
        return sscanf(link, "%*[a-z]:[%lu]", ret_inode) == 1 ? 0 : -EBADMSG;
}

static int write_namespaces(FILE *out, int argument)
{
        static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
        bool first = true;

        (void)argument;
        fputc('{', out);
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                unsigned long inode;
                int r = read_namespace(names[i], &inode);

                if (r < 0)
                        return r;
                json_name(out, &first, names[i]);
                fprintf(out, "%lu", inode);
        }
        fputc('}', out);
        return 0;
}

static const char *kind_of(mode_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFIFO:
                return "pipe";
        case S_IFSOCK:
                return "socket";
        case S_IFREG:
                return "file";
        case S_IFDIR:
                return "directory";
        case S_IFCHR:
                return "character device";
        case S_IFBLK:
                return "block device";
        default:
                return "other";
        }
}

static int write_descriptors(FILE *out, int argument)
{
        struct stat st;
        bool first = true;

        (void)argument;
        fputc('[', out);
        for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++) {
                if (fcntl(fd, F_GETFD) < 0) {
                        if (errno != EBADF)
                                return -errno;
                        continue;
                }
                if (fstat(fd, &st) < 0)
                        return -errno;
                json_separate(out, &first);
                fprintf(out, "{\"fd\": %d, \"kind\": \"%s\"}", fd, kind_of(st.st_mode));
        }
        fputc(']', out);
        return 0;
}

static int write_environment(FILE *out, int argument)
{
        bool first = true;

        (void)argument;
        fputc('{', out);
        for (char **entry = environ; *entry; entry++) {
                char *name = strndup(*entry, strcspn(*entry, "="));

                if (!name)
                        return -ENOMEM;
                json_name(out, &first, name);
                json_string(out, (*entry)[strlen(name)] ? *entry + strlen(name) + 1 : "");
                free(name);
        }
        fputc('}', out);
        return 0;
}

/* Variables whose name has come before: a reader of the object above sees one, getenv(3) perhaps the other.
 */
static int write_environment_repeated(FILE *out, int argument)
{
        bool first = true;

        (void)argument;
        fputc('[', out);
        for (char **entry = environ; *entry; entry++) {
                size_t length = strcspn(*entry, "=") + 1;
                char **earlier = environ;

                while (earlier < entry && strncmp(*earlier, *entry, length) != 0)
                        earlier++;
                if (earlier == entry)
                        continue;
                json_separate(out, &first);
                json_string(out, *entry);
        }
        fputc(']', out);
        return 0;
}

static int write_directory(FILE *out, int argument)
{
        char path[4096];

        (void)argument;
        if (!getcwd(path, sizeof(path)))
                return -errno;
        json_string(out, path);
        return 0;
}

static int write_umask(FILE *out, int argument)
{
        mode_t mask = umask(077);

        (void)argument;
        umask(mask);
        fprintf(out, "\"%04o\"", mask);
        return 0;
}

static int write_hostname(FILE *out, int argument)
{
        char name[256] = "";

        (void)argument;
        if (gethostname(name, sizeof(name) - 1) < 0)
                return -errno;
        json_string(out, name);
        return 0;
}

static void write_limit(FILE *out, rlim_t limit)
{
        if (limit == RLIM_INFINITY)
                fputs("\"infinity\"", out);
        else
                fprintf(out, "%ju", (uintmax_t)limit);
}

/* Each [soft, hard], in the units of getrlimit(2). */
static int write_limits(FILE *out, int argument)
{
        static const struct {
                const char *name;
                __rlimit_resource_t resource;
        } limits[] = {{"as", RLIMIT_AS}, {"core", RLIMIT_CORE}, {"cpu", RLIMIT_CPU}, {"data", RLIMIT_DATA},
                {"fsize", RLIMIT_FSIZE}, {"memlock", RLIMIT_MEMLOCK}, {"nofile", RLIMIT_NOFILE},
                {"nproc", RLIMIT_NPROC}, {"stack", RLIMIT_STACK}};
        struct rlimit limit;
        bool first = true;

        (void)argument;
        fputc('{', out);
        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                if (getrlimit(limits[i].resource, &limit) < 0)
                        return -errno;
                json_name(out, &first, limits[i].name);
                fputc('[', out);
                write_limit(out, limit.rlim_cur);
                fputs(", ", out);
                write_limit(out, limit.rlim_max);
                fputc(']', out);
        }
        fputc('}', out);
        return 0;
}

/* The report */

static const struct fact facts[] = {
        {"pid", write_process_id, PID},
        {"ppid", write_process_id, PPID},
        {"sid", write_process_id, SID},
        {"uid", write_uid, 0},
        {"gid", write_gid, 0},
        {"groups", write_groups, 0},
        {"cap_eff", write_capabilities, EFFECTIVE},
        {"cap_prm", write_capabilities, PERMITTED},
        {"cap_inh", write_capabilities, INHERITABLE},
        {"cap_bnd", write_capabilities_by_prctl, PR_CAPBSET_READ},
        {"cap_amb", write_capabilities_by_prctl, PR_CAP_AMBIENT},
        {"seccomp", write_prctl, PR_GET_SECCOMP},
        {"no_new_privs", write_prctl, PR_GET_NO_NEW_PRIVS},
        {"dumpable", write_prctl, PR_GET_DUMPABLE},
        {"context", write_context, 0},
        {"root", write_root, 0},
        {"namespaces", write_namespaces, 0},
        {"fds", write_descriptors, 0},
        {"env", write_environment, 0},
        {"env_repeated", write_environment_repeated, 0},
        {"cwd", write_directory, 0},
        {"umask", write_umask, 0},
        {"hostname", write_hostname, 0},
        {"rlimits", write_limits, 0},
        /* The last ones: were they to work, everything else would be another process's report. */
        {"regain_gid0", write_regaining_root, GID},
        {"regain_uid0", write_regaining_root, UID},
};

/* Writes the fact's value, or null. Returns 0, or a negative errno. */
static int write_fact(FILE *out, const struct fact *fact)
{
        char *value = NULL;
        size_t size;
        FILE *memory = open_memstream(&value, &size);
        int r = -ENOMEM;

        if (memory) {
                r = fact->write(memory, fact->argument);
                if (fclose(memory) != 0)
                        r = -ENOMEM;
        }
        fputs(r == 0 ? value : "null", out);
        free(value);
        return r;
}

static void write_report(FILE *out)
{
        int errors[ELEMENTS(facts)];
        bool first = true;

        fputs("{\n", out);
        for (size_t i = 0; i < ELEMENTS(facts); i++) {
                fprintf(out, "  \"%s\": ", facts[i].name);
                errors[i] = write_fact(out, &facts[i]);
                fputs(",\n", out);
        }
        fputs("  \"errors\": {", out);
        for (size_t i = 0; i < ELEMENTS(facts); i++) {
                const char *name = strerrorname_np(-errors[i]);

                if (errors[i] == 0)
                        continue;
                json_name(out, &first, facts[i].name);
                json_string(out, name ? name : "unknown");
        }
        fputs("}\n}\n", out);
}

static void write_page(const char *report, uid_t uid)
{
        printf("Content-Type: text/html; charset=utf-8\r\n\r\n"
               "<!DOCTYPE html>\n<html lang=\"en\">\n<title>probe</title>\n"
               "<h1>This process is uid %u</h1>\n"
               "<p>It has served nobody before you, and is gone by now. What it found about itself\n"
               "(<a href=\"?json\">as JSON</a>):</p>\n"
               "<pre style=\"white-space: pre-wrap\">%s</pre>\n</html>\n",
                uid, report);
}

int main(void)
{
        const char *query = getenv("QUERY_STRING");
        uid_t uid = getuid(); /* before the attempts to change it */
        char *report = NULL;
        size_t size;
        FILE *out = open_memstream(&report, &size);

        if (!out)
                return EXIT_FAILURE;
        write_report(out);
        if (fclose(out) != 0)
                return EXIT_FAILURE;
        if (query && strcmp(query, "json") == 0)
                printf("Content-Type: application/json\r\n\r\n%s", report);
        else
                write_page(report, uid);
        free(report);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
