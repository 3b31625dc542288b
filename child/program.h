/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "common/index.h"

/*
 * What a request executes. Everything here runs as the identity, after the drop: what it cannot reach, it is
 * not to run.
 */
struct program {
        const char *path; /* inside the root */
        int fd;           /* open on it, close-on-exec */
        bool is_elf;      /* executed by descriptor; a script goes by path, see program_exec() */
};

enum { PROGRAM_ARGUMENTS_MAX = 256 };

/*
 * Fills `argv`, which has room for PROGRAM_ARGUMENTS_MAX and a NULL: with the words of ExecStart=, none where
 * there is no ExecStart=; or with the command in a memfd, "word\0" each. Returns 0, -E2BIG, -EBADMSG, or the
 * memfd's errno.
 */
int program_arguments(const struct index *index, const struct index_service *service, char **argv);
int program_command(int memfd, char **argv);

/*
 * Checks the script that the request names: beneath ScriptDirectory= (openat2(2), RESOLVE_BENEATH), a regular
 * file, owned by root or the identity, neither it nor the folders that its name goes through writable by group or
 * others. Where one of these is a symlink, the folders of its target are the administrator's to keep so, too. Returns a
 * descriptor on it, or a negative errno: -ENOENT no such script (or not beneath the directory by its name), -EXDEV
 * beneath by name only, -EPERM the owner or mode is refused.
 */
int program_check_script(const char *script_directory, const char *script);

/*
 * Makes the folder of a script that has been checked the working directory. Returns 0, or a negative errno of chdir(2).
 */
int program_enter_folder(const char *script);

/*
 * Opens the program at `path`: a regular file that is executable. Returns 0 and fills in path, fd and is_elf;
 * -EACCES, -ENOENT, …; -ENOEXEC when it begins neither as an ELF file nor with #!.
 */
int program_open(const char *path, struct program *program);

/*
 * Executes it and does not return but for failure (negative errno). An ELF file is executed by the descriptor
 * that was checked. A script cannot be: with a close-on-exec descriptor its interpreter finds nothing to
 * read, and otherwise its argv[0] is /dev/fd/N. It goes by path; program_check_script() saw to it that nobody
 * but root and the identity itself can put another one there.
 */
int program_exec(const struct program *program, char *const argv[], char *const envp[]);
