/* SPDX-License-Identifier: Apache-2.0 */

/*
 * php-cgi for fcgiwrap, which executes what SCRIPT_FILENAME names: this, and the script is in BENCH_SCRIPT. Static, so
 * that the comparison does not pay for a shell. INI is set by the build.
 */

#include <stdlib.h>
#include <unistd.h>

int main(void)
{
        const char *script = getenv("BENCH_SCRIPT");

        if (script && setenv("SCRIPT_FILENAME", script, 1) == 0)
                execl("/usr/bin/php-cgi8.2", "php-cgi", "-n", "-c", INI, (char *)NULL);
        return 127;
}
