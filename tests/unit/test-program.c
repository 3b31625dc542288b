/* SPDX-License-Identifier: Apache-2.0 */
/* links: child/program.c child/memfd.c common/index.c compiler/builder.c compiler/memory.c */

/*
 * The checks on scripts and programs, on a temporary tree. Run as root, which gives files to owners:
 *
 *   T/cgi            the script directory
 *   T/outside/x.cgi  beside it
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "child/program.h"
#include "common/cleanup.h"
#include "compiler/builder.h"

enum { IDENTITY = 30010, STRANGER = 30011 };

static char top[64];

static const char *in_tree(const char *path)
{
        static char full[4][4200];
        static size_t turn;

        turn = (turn + 1) % 4;
        snprintf(full[turn], sizeof(full[turn]), "%s/%s", top, path);
        return full[turn];
}

static void make_folder(const char *path, mode_t mode, uid_t owner)
{
        assert_int_equal(mkdir(in_tree(path), 0700), 0);
        assert_int_equal(chmod(in_tree(path), mode), 0);
        assert_int_equal(chown(in_tree(path), owner, 0), 0);
}

static void make_file(const char *path, mode_t mode, uid_t owner, const char *content)
{
        _cleanup_close_ int fd = open(in_tree(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, strlen(content)), strlen(content));
        assert_int_equal(fchown(fd, owner, 0), 0);
        assert_int_equal(fchmod(fd, mode), 0);
}

static void make_link(const char *target, const char *path)
{
        assert_int_equal(symlink(target, in_tree(path)), 0);
}

static void make_tree(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        make_folder("cgi", 0755, 0);
        make_file("cgi/a.cgi", 0755, 0, "#!/bin/sh\n");
        make_file("cgi/data", 0644, 0, "data");
        make_file("cgi/mine.cgi", 0700, IDENTITY, "#!/bin/sh\n");
        make_file("cgi/strange.cgi", 0755, STRANGER, "#!/bin/sh\n");
        make_file("cgi/group.cgi", 0775, 0, "#!/bin/sh\n");
        make_file("cgi/others.cgi", 0757, 0, "#!/bin/sh\n");
        make_file("cgi/secret.cgi", 0700, 0, "#!/bin/sh\n");
        make_folder("cgi/dir", 0755, 0);
        make_file("cgi/dir/b.cgi", 0755, 0, "#!/bin/sh\n");
        make_folder("cgi/dir/deep", 0755, IDENTITY);
        make_file("cgi/dir/deep/c.cgi", 0755, IDENTITY, "#!/bin/sh\n");
        make_folder("cgi/open", 01777, 0);
        make_file("cgi/open/d.cgi", 0755, 0, "#!/bin/sh\n");
        make_folder("cgi/open/closed", 0755, 0);
        make_file("cgi/open/closed/e.cgi", 0755, 0, "#!/bin/sh\n");
        make_folder("cgi/group", 0775, 0);
        make_file("cgi/group/f.cgi", 0755, 0, "#!/bin/sh\n");
        make_folder("cgi/strange", 0755, STRANGER);
        make_file("cgi/strange/g.cgi", 0755, 0, "#!/bin/sh\n");
        make_folder("outside", 0755, 0);
        make_file("outside/x.cgi", 0755, 0, "#!/bin/sh\n");
        make_link("a.cgi", "cgi/link.cgi");
        make_link("dir/b.cgi", "cgi/link-in.cgi");
        make_link("dir", "cgi/link-dir");
        make_link("../outside/x.cgi", "cgi/link-out.cgi");
        make_link("../outside", "cgi/link-out");
        make_link("/etc/passwd", "cgi/link-absolute");
        make_link(in_tree("cgi/a.cgi"), "cgi/link-absolute-in");
        make_link("nowhere", "cgi/link-broken");
        make_link("link-loop", "cgi/link-loop");
        make_link("strange.cgi", "cgi/link-strange.cgi");
        make_link("cgi", "cgi-link");
        assert_int_equal(mkfifo(in_tree("cgi/fifo"), 0755), 0);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", in_tree("cgi/socket"));
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        close_fd(fd);
        make_folder("bad-mode", 0777, 0);
        make_file("bad-mode/a.cgi", 0755, 0, "#!/bin/sh\n");
        make_folder("bad-owner", 0755, STRANGER);
        make_file("bad-owner/a.cgi", 0755, 0, "#!/bin/sh\n");
        make_folder("bin", 0755, 0);
        make_file("bin/elf", 0755, 0, "\177ELFxxxx");
        make_file("bin/elf-only", 0755, 0, "\177ELF");
        make_file("bin/script", 0755, 0, "#!/bin/sh\n");
        make_file("bin/script-only", 0755, 0, "#!");
        make_file("bin/short", 0755, 0, "#");
        make_file("bin/empty", 0755, 0, "");
        make_file("bin/text", 0755, 0, "echo");
        make_file("bin/not-executable", 0644, 0, "#!/bin/sh\n");
        make_file("bin/private", 0700, 0, "#!/bin/sh\n");
        make_file("bin/execute-only", 0711, 0, "#!/bin/sh\n");
        make_link("elf", "bin/link");
        assert_int_equal(mkfifo(in_tree("bin/fifo"), 0755), 0);
}

static int set_up(void **state)
{
        (void)state;
        if (geteuid() != 0)
                return 0;
        umask(0);
        snprintf(top, sizeof(top), "/tmp/test-program-XXXXXX");
        assert_non_null(mkdtemp(top));
        assert_int_equal(chmod(top, 0755), 0);
        make_tree();
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
        (void)st;
        (void)type;
        (void)where;
        return remove(path);
}

static int tear_down(void **state)
{
        (void)state;
        return top[0] ? nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS) : 0;
}

static void need_root(void)
{
        if (geteuid() != 0) {
                print_message("needs root\n");
                skip();
        }
}

/* In a child as `uid`: 0 or a negative errno. */
static int as(uid_t uid, int (*call)(const void *argument), const void *argument)
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
                if (uid && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
                        _exit(255);
                _exit(-call(argument) & 0xff);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 255);
        return -WEXITSTATUS(status);
}

struct script {
        const char *directory, *path; /* in the tree */
};

static int check_script(const void *argument)
{
        const struct script *script = argument;
        int fd = program_check_script(script->directory, script->path), flags;

        if (fd < 0)
                return fd;
        flags = fcntl(fd, F_GETFD);
        if (!(flags & FD_CLOEXEC) || (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
                return -EXFULL;
        return close(fd);
}

struct script_case {
        const char *path; /* beneath T */
        int result;
};

static void check_scripts(uid_t uid, const char *directory, const struct script_case *cases, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct script script = {in_tree(directory), in_tree(cases[i].path)};
                int r = as(uid, check_script, &script);

                if (r != cases[i].result)
                        fail_msg("%s beneath %s as %u: %s, expected %s", cases[i].path, directory, uid, strerror(-r),
                                strerror(-cases[i].result));
        }
}

static void test_script(void **state)
{
        static const struct script_case cases[] = {
                {"cgi/a.cgi", 0},
                {"cgi//a.cgi", 0},
                {"cgi/./a.cgi", 0},
                {"cgi/data", 0}, /* whether it can be executed is not asked here */
                {"cgi/dir/b.cgi", 0},
                {"cgi/dir//b.cgi", 0},
                {"cgi/dir/deep/c.cgi", 0},
                {"cgi/mine.cgi", 0},
                {"cgi/dir/../a.cgi", 0},
                {"cgi/none.cgi", -ENOENT},
                {"cgi/none/a.cgi", -ENOENT},
                {"cgi/A.CGI", -ENOENT},
                {"cgi/a.cgi/", -ENOTDIR},
                {"cgi/a.cgi/info", -ENOTDIR},
                /* not a file */
                {"cgi", -ENOENT},
                {"cgi/", -ENOENT},
                {"cgi//", -ENOENT},
                {"cgi/dir", -ENOENT},
                {"cgi/dir/", -ENOENT},
                {"cgi/.", -ENOENT},
                {"cgi/fifo", -ENOENT},
                /* not beneath, by name */
                {"outside/x.cgi", -ENOENT},
                {"cgix/a.cgi", -ENOENT},
                {"cg", -ENOENT},
                {"cgi-link/a.cgi", -ENOENT},
                {"./cgi/a.cgi", -ENOENT},
                {"../etc/passwd", -ENOENT},
                {"", -ENOENT},
                /* beneath by name only */
                {"cgi/..", -EXDEV},
                {"cgi/../outside/x.cgi", -EXDEV},
                {"cgi/../cgi/a.cgi", -EXDEV},
                {"cgi/dir/../../outside/x.cgi", -EXDEV},
                {"cgi/dir/../../cgi/a.cgi", -EXDEV},
                {"cgi/none/../a.cgi", -ENOENT},
                /* owner and mode */
                {"cgi/strange.cgi", -EPERM},
                {"cgi/group.cgi", -EPERM},
                {"cgi/others.cgi", -EPERM},
                {"cgi/secret.cgi", -EACCES},
                {"cgi/open/d.cgi", -EPERM},
                {"cgi/open/closed/e.cgi", -EPERM},
                {"cgi/group/f.cgi", -EPERM},
                {"cgi/strange/g.cgi", -EPERM},
                {"cgi/open/../a.cgi", -EPERM},
        };

        (void)state;
        need_root();
        check_scripts(IDENTITY, "cgi", cases, ELEMENTS(cases));
        check_scripts(IDENTITY, "cgi/", cases, ELEMENTS(cases));
        check_scripts(IDENTITY, "cgi//", cases, ELEMENTS(cases));
}

static void test_symlinks(void **state)
{
        static const struct script_case cases[] = {
                {"cgi/link.cgi", 0},
                {"cgi/link-in.cgi", 0},
                {"cgi/link-dir/b.cgi", 0},
                {"cgi/link-dir/deep/c.cgi", 0},
                {"cgi/link-out.cgi", -EXDEV},
                {"cgi/link-out/x.cgi", -EXDEV},
                {"cgi/link-absolute", -EXDEV},
                {"cgi/link-absolute-in", -EXDEV},
                {"cgi/link-broken", -ENOENT},
                {"cgi/link-loop", -ELOOP},
                {"cgi/link-strange.cgi", -EPERM},
        };

        (void)state;
        need_root();
        check_scripts(IDENTITY, "cgi", cases, ELEMENTS(cases));
        check_scripts(IDENTITY, "cgi-link", &(struct script_case){"cgi-link/a.cgi", 0}, 1);
}

/* The identity decides whose files are taken. */
static void test_identities(void **state)
{
        static const struct script_case stranger[] = {
                {"cgi/strange.cgi", 0},
                {"cgi/strange/g.cgi", 0},
                {"cgi/mine.cgi", -EACCES}, /* and of another's, not even the mode is looked at */
                {"cgi/dir/deep/c.cgi", -EPERM},
                {"cgi/open/d.cgi", -EPERM},
        };

        (void)state;
        need_root();
        check_scripts(STRANGER, "cgi", stranger, ELEMENTS(stranger));
        check_scripts(0, "cgi", &(struct script_case){"cgi/mine.cgi", -EPERM}, 1);
        check_scripts(0, "cgi", &(struct script_case){"cgi/secret.cgi", 0}, 1);
}

static void test_script_directory(void **state)
{
        (void)state;
        need_root();
        check_scripts(IDENTITY, "bad-mode", &(struct script_case){"bad-mode/a.cgi", -EPERM}, 1);
        check_scripts(IDENTITY, "bad-owner", &(struct script_case){"bad-owner/a.cgi", -EPERM}, 1);
        check_scripts(STRANGER, "bad-owner", &(struct script_case){"bad-owner/a.cgi", 0}, 1);
        check_scripts(IDENTITY, "none", &(struct script_case){"none/a.cgi", -ENOENT}, 1);
        check_scripts(IDENTITY, "cgi/a.cgi", &(struct script_case){"cgi/a.cgi/x", -ENOTDIR}, 1);
}

static void test_script_directory_root(void **state)
{
        char script[128];
        const struct script beneath = {"/", script}, relative = {"/", "etc/passwd"}, itself = {"/", "/"};

        (void)state;
        need_root();
        snprintf(script, sizeof(script), "%s", "/etc/passwd");
        assert_int_equal(as(IDENTITY, check_script, &beneath), 0);
        assert_int_equal(as(IDENTITY, check_script, &relative), -ENOENT);
        assert_int_equal(as(IDENTITY, check_script, &itself), -ENOENT);
}

/* A name as long as the launch protocol lets through, and longer: an error, and nothing written beyond. */
static void test_long_names(void **state)
{
        char path[4150] = "cgi/";

        (void)state;
        need_root();
        memset(path + 4, 'x', 300);
        check_scripts(IDENTITY, "cgi", &(struct script_case){path, -ENAMETOOLONG}, 1);
        for (size_t i = 4; i < sizeof(path) - 2; i += 2)
                memcpy(path + i, "./", 2);
        check_scripts(IDENTITY, "cgi", &(struct script_case){path, -ENAMETOOLONG}, 1);
}

struct opened {
        const char *path;
        bool is_elf;
};

static int open_program(const void *argument)
{
        const struct opened *expected = argument;
        struct program program = {.fd = -1};
        int r = program_open(expected->path, &program);

        if (r < 0)
                return program.fd == -1 ? r : -EXFULL;
        if (program.is_elf != expected->is_elf || program.path != expected->path ||
                !(fcntl(program.fd, F_GETFD) & FD_CLOEXEC))
                return -EXFULL;
        return 0;
}

static void test_open(void **state)
{
        static const struct {
                const char *path;
                int result;
                bool is_elf;
        } cases[] = {
                {"bin/elf", 0, true},
                {"bin/elf-only", 0, true},
                {"bin/link", 0, true},
                {"bin/script", 0, false},
                {"bin/script-only", 0, false},
                {"bin/short", -ENOEXEC, false},
                {"bin/empty", -ENOEXEC, false},
                {"bin/text", -ENOEXEC, false},
                {"bin/not-executable", -EACCES, false},
                {"bin/private", -EACCES, false},
                {"bin/execute-only", -EACCES, false},
                {"bin", -EACCES, false},
                {"bin/fifo", -EACCES, false},
                {"bin/none", -ENOENT, false},
                {"bin/elf/none", -ENOTDIR, false},
        };

        (void)state;
        need_root();
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct opened expected = {in_tree(cases[i].path), cases[i].is_elf};

                if (as(IDENTITY, open_program, &expected) != cases[i].result)
                        fail_msg("%s", cases[i].path);
        }
}

static int execute(const void *argument)
{
        char *const argv[] = {(char *)"name", (char *)"-c", (char *)"exit $X", NULL};
        char *const envp[] = {(char *)"X=7", NULL};
        struct program program;
        int r = program_open(argument, &program);

        return r < 0 ? r : program_exec(&program, argv, envp);
}

static void test_exec(void **state)
{
        (void)state;
        need_root();
        assert_int_equal(as(IDENTITY, execute, "/bin/sh"), -7);
        assert_int_equal(as(IDENTITY, execute, in_tree("bin/elf")), -ENOEXEC);
        assert_int_equal(as(IDENTITY, execute, in_tree("bin/script")), 0);
}

static void test_command(void **state)
{
        static const struct {
                const char *bytes;
                size_t size, n;
                int result;
        } cases[] = {
                {"/bin/sh", 8, 1, 0},
                {"/bin/sh\0-c\0", 12, 3, 0}, /* the last word is empty */
                {"a\0b", 4, 2, 0},
                {"\0", 1, 1, 0},
                {"", 0, 0, -EBADMSG},
                {"/bin/sh", 7, 0, -EBADMSG},
                {"a\0b", 3, 0, -EBADMSG},
        };
        char *argv[PROGRAM_ARGUMENTS_MAX + 1];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_close_ int fd = memfd_create("command", MFD_CLOEXEC);
                size_t n = 0;

                assert_int_equal(write(fd, cases[i].bytes, cases[i].size), cases[i].size);
                assert_int_equal(program_command(fd, argv), cases[i].result);
                if (cases[i].result < 0)
                        continue;
                for (const char *word = cases[i].bytes; n < cases[i].n; word += strlen(word) + 1)
                        assert_string_equal(argv[n++], word);
                assert_null(argv[n]);
        }
}

static void test_command_limits(void **state)
{
        static const char zeroes[64 * 1024];
        char *argv[PROGRAM_ARGUMENTS_MAX + 1];

        (void)state;
        for (size_t n = PROGRAM_ARGUMENTS_MAX; n <= PROGRAM_ARGUMENTS_MAX + 1; n++) {
                _cleanup_close_ int fd = memfd_create("command", MFD_CLOEXEC);

                assert_int_equal(write(fd, zeroes, n), n);
                assert_int_equal(program_command(fd, argv), n == PROGRAM_ARGUMENTS_MAX ? 0 : -E2BIG);
        }
        for (size_t size = 16 * 1024; size <= sizeof(zeroes); size *= 2) {
                _cleanup_close_ int fd = memfd_create("command", MFD_CLOEXEC);

                assert_int_equal(write(fd, zeroes, size), size);
                assert_int_equal(program_command(fd, argv), -E2BIG);
        }
        assert_int_equal(program_command(-1, argv), -EBADF);
}

static void test_arguments(void **state)
{
        (void)state;
        for (size_t n = 0; n <= PROGRAM_ARGUMENTS_MAX + 1; n++) {
                char *argv[PROGRAM_ARGUMENTS_MAX + 1];
                struct index_service service = {0};
                struct list words = {0};
                struct builder builder;
                struct index index;

                builder_init(&builder);
                for (size_t i = 0; i < n; i++) {
                        index_string word = builder_string(&builder, "word");

                        list_append(&words, &word, sizeof(word));
                }
                service.argv = builder_list(&builder, &words, sizeof(index_string));
                index = builder_finish(&builder, (struct index_header){0});
                if (n > PROGRAM_ARGUMENTS_MAX) {
                        assert_int_equal(program_arguments(&index, &service, argv), -E2BIG);
                } else {
                        assert_int_equal(program_arguments(&index, &service, argv), 0);
                        for (size_t i = 0; i < n; i++)
                                assert_string_equal(argv[i], "word");
                        assert_null(argv[n]);
                }
                list_clear(&words);
                free(builder.data);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_script),
                cmocka_unit_test(test_symlinks),
                cmocka_unit_test(test_identities),
                cmocka_unit_test(test_script_directory),
                cmocka_unit_test(test_script_directory_root),
                cmocka_unit_test(test_long_names),
                cmocka_unit_test(test_open),
                cmocka_unit_test(test_exec),
                cmocka_unit_test(test_command),
                cmocka_unit_test(test_command_limits),
                cmocka_unit_test(test_arguments),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
