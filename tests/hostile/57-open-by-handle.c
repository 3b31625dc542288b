/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to open a file of the host by its handle, which needs no path to it, only a descriptor of the
 *        same file system: the folder of this program.
 *
 * Control: chroot
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        union {
                struct file_handle handle;
                char space[sizeof(struct file_handle) + 128];
        } file = {0};
        const char *hex = argument("handle", "");
        int mount, fd;
        char text[128] = "";

        file.handle.handle_type = atoi(argument("type", "1"));
        for (; hex[0] && hex[1] && file.handle.handle_bytes < 128; hex += 2) {
                unsigned byte;

                sscanf(hex, "%2x", &byte);
                file.handle.f_handle[file.handle.handle_bytes++] = (unsigned char)byte;
        }
        mount = open("/apps", O_RDONLY | O_DIRECTORY);
        if (mount < 0)
                contained_by("no folder to begin with");
        fd = open_by_handle_at(mount, &file.handle, O_RDONLY);
        if (fd < 0)
                contained();
        if (read(fd, text, sizeof(text) - 1) < 0)
                contained();
        text[strcspn(text, "\n")] = '\0';
        escaped("read %s", text);
}
