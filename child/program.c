/* SPDX-License-Identifier: Apache-2.0 */
#include "child/program.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "child/memfd.h"
#include "common/cleanup.h"
#include "common/wire.h"

static bool is_safe(const struct stat *st)
{
        return (st->st_uid == 0 || st->st_uid == getuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* The part of `script` beneath `directory`, or NULL. */
static const char *beneath(const char *directory, const char *script)
{
        size_t length = strlen(directory);

        while (length > 0 && directory[length - 1] == '/')
                length--;
        if (strncmp(script, directory, length) != 0 || script[length] != '/')
                return NULL;
        script += length;
        while (*script == '/')
                script++;
        return *script ? script : NULL;
}

static int open_beneath(int directory, const char *path, uint64_t flags)
{
        struct open_how how = {.flags = O_CLOEXEC | flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
        int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

/* The folders between the script directory and the script. */
static int check_folders(int directory, const char *relative)
{
        char folder[PATH_MAX];

        for (const char *slash = strchr(relative, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_close_ int fd = -1;
                struct stat st;

                if ((size_t)(slash - relative) >= sizeof(folder))
                        return -ENAMETOOLONG;
                memcpy(folder, relative, (size_t)(slash - relative));
                folder[slash - relative] = '\0';
                fd = open_beneath(directory, folder, O_PATH | O_DIRECTORY);
                if (fd < 0)
                        return fd;
                if (fstat(fd, &st) < 0)
                        return -errno;
                if (!is_safe(&st))
                        return -EPERM;
        }
        return 0;
}

int program_check_script(const char *script_directory, const char *script)
{
        const char *relative = beneath(script_directory, script);
        _cleanup_close_ int directory = -1, fd = -1;
        struct stat st;
        int r;

        if (!relative)
                return -ENOENT;
        directory = open(script_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0 || fstat(directory, &st) < 0)
                return -errno;
        if (!is_safe(&st))
                return -EPERM;
        r = check_folders(directory, relative);
        if (r < 0)
                return r;
        fd = open_beneath(directory, relative, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ENOENT;
        return is_safe(&st) ? take_fd(&fd) : -EPERM;
}

int program_enter_folder(const char *script)
{
        char folder[WIRE_SCRIPT_SIZE];

        snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(script, '/') - script), script);
        return chdir(*folder ? folder : "/") < 0 ? -errno : 0;
}

int program_open(const char *path, struct program *program)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        struct stat st;
        char magic[4];
        ssize_t n;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
                return -EACCES;
        n = pread(fd, magic, sizeof(magic), 0);
        if (n < 0)
                return -errno;
        program->is_elf = n == 4 && memcmp(magic, "\177ELF", 4) == 0;
        if (!program->is_elf && (n < 2 || memcmp(magic, "#!", 2) != 0))
                return -ENOEXEC;
        program->path = path;
        program->fd = take_fd(&fd);
        return 0;
}

int program_exec(const struct program *program, char *const argv[], char *const envp[])
{
        if (program->is_elf)
                syscall(SYS_execveat, program->fd, "", argv, envp, AT_EMPTY_PATH);
        else
                execve(program->path, argv, envp);
        return -errno;
}

int program_arguments(const struct index *index, const struct index_service *service, char **argv)
{
        size_t n = service->argv.count;

        if (n > PROGRAM_ARGUMENTS_MAX)
                return -E2BIG;
        for (size_t i = 0; i < n; i++)
                argv[i] = (char *)(uintptr_t)index_item(index, service->argv, i);
        argv[n] = NULL;
        return 0;
}

int program_command(int memfd, char **argv)
{
        static char command[16 * 1024];
        size_t n = 0, size = 0;
        int r = memfd_read(memfd, command, sizeof(command), &size);

        if (r < 0)
                return r;
        if (size == 0 || command[size - 1] != '\0')
                return -EBADMSG;
        for (char *word = command; word < command + size; word += strlen(word) + 1) {
                if (n == PROGRAM_ARGUMENTS_MAX)
                        return -E2BIG;
                argv[n++] = word;
        }
        argv[n] = NULL;
        return 0;
}
