# SPDX-License-Identifier: Apache-2.0
"""A name service for tests, apps/nss_sandboxdtest.c, for the programs that are started with its prefix.

    with NameService() as names:
        subprocess.Popen([*names.prefix, "getent", "passwd", "user-1"])

The machine's own name service is left alone: the prefix starts a program in a mount namespace of its own, where
nsswitch.conf and the linker's cache are others. It needs root, and the program keeps the process id.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

MODULE = Path(__file__).resolve().parent / "apps" / "nss_sandboxdtest.c"
CC_FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
LIBRARY = "libnss_sandboxdtest.so.2"
# "$0" is the folder, and what follows the command.
ENTER = 'for f in nsswitch.conf ld.so.cache; do mount --bind "$0/$f" "/etc/$f" || exit; done; exec "$@"'


class NameService:
    """Of use to tests: prefix, the beginning of a command; set_table()."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sandboxd-names.", dir="/run"))
        self.folder.chmod(0o755)
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        self.prefix = ["unshare", "--mount", "sh", "-c", ENTER, str(self.folder)]

    def _make(self):
        library = self.folder / LIBRARY
        subprocess.run(["cc", *CC_FLAGS, f"-Wl,-soname,{LIBRARY}", "-o", library, MODULE], check=True)
        (self.folder / "nsswitch.conf").write_text("passwd: files sandboxdtest\ngroup: files sandboxdtest\n")
        (self.folder / "ld.so.conf").write_text(f"include /etc/ld.so.conf\n{self.folder}\n")
        subprocess.run(
            ["ldconfig", "-X", "-C", self.folder / "ld.so.cache", "-f", self.folder / "ld.so.conf"], check=True
        )
        self.set_table({})
        for path in self.folder.iterdir():
            path.chmod(0o755 if path == library else 0o644)

    def set_table(self, accounts):
        """More accounts: {name: (uid, gid)}; for every look-up from now on, in place of those before."""
        new = self.folder / "table.new"
        new.write_text("".join(f"{name} {uid} {gid}\n" for name, (uid, gid) in accounts.items()))
        new.chmod(0o644)
        new.rename(self.folder / "table")

    def close(self):
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
