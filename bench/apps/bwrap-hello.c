/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What an administrator would put behind fcgiwrap to confine hello: bubblewrap with all its namespaces.
 * Itself static, so that the comparison does not pay for a shell. HELLO_DIRECTORY is set by the build.
 */

#include <unistd.h>

int main(void)
{
        execl("/usr/bin/bwrap", "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
                "--ro-bind", HELLO_DIRECTORY, HELLO_DIRECTORY, HELLO_DIRECTORY "/hello", (char *)NULL);
        return 127;
}
