# SPDX-License-Identifier: Apache-2.0
"""One php.ini for every PHP contender of a work: php-cgi and php-fpm take it by "-n -c FILE", and read nothing else."""

from pathlib import Path

DEBIAN = Path("/etc/php/8.2/cgi/conf.d")

# Scripts do not change while they are measured, and nobody should pay for looking: not ours, whose children look anew
# each, nor php-fpm, which looks every two seconds. They are as new as the measurement; opcache is to keep them all the
# same.
OPCACHE = """zend_extension=opcache
opcache.enable=1
opcache.validate_timestamps=0
opcache.file_update_protection=0
"""


def extensions(*names):
    return "".join(f"extension={name}\n" for name in names)


def debian():
    """All that Debian enables, opcache among it, as its own files have it."""
    return "".join(path.read_text() + "\n" for path in sorted(DEBIAN.glob("*.ini")))


def write(path, *parts):
    path.write_text("".join(parts))
    return path
