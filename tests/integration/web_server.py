# SPDX-License-Identifier: Apache-2.0
"""A real web server before a stack: nginx under its own account, which must be in FrontEndUser=.

    with WebServer(stack, "location /a { include common; fastcgi_pass unix:...; }", users={"alice": "secret"}) as web:
        status, body = web.get("/a?report", user="alice", source="127.0.0.5", host="www.example.org")
"""

import base64
import http.client
import os
import signal
import subprocess

import stack as lib

ACCOUNT = "www-data"
# ::ffff:127.0.0.1: a client of this port has an IPv4-mapped address, as with a socket for both families.
CONFIGURATION = """
user {account}; worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    fastcgi_temp_path {folder}/f; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    map $http_authorization $realm {{ "" off; default tests; }}
    auth_basic $realm;
    auth_basic_user_file {folder}/passwords;
{servers}
}}
"""
LISTEN = "listen 127.0.0.1:{port}; listen [::1]:{port}; listen [::ffff:127.0.0.1]:{mapped_port}{once};"
COMMON = """
fastcgi_param GATEWAY_INTERFACE CGI/1.1;
fastcgi_param SERVER_PROTOCOL $server_protocol;
fastcgi_param REQUEST_METHOD $request_method;
fastcgi_param QUERY_STRING $query_string;
fastcgi_param SCRIPT_NAME $uri;
fastcgi_param SCRIPT_FILENAME /apps/app;
fastcgi_param REMOTE_ADDR $remote_addr;
fastcgi_param REMOTE_USER $remote_user if_not_empty;
"""


class WebServer:
    """Of use to tests: get(); folder."""

    def __init__(self, stack, servers, users=()):
        """`servers` is nginx's, each with @LISTEN@; `include @COMMON@;` has the parameters but SERVER_NAME."""
        self.folder = stack.base / "nginx"
        self.folder.mkdir(mode=0o755)
        self.port, self.mapped_port = lib.free_port(), lib.free_port()
        for once in (" ipv6only=off", ""):  # nginx wants an option of a socket once
            listen = LISTEN.format(port=self.port, mapped_port=self.mapped_port, once=once)
            servers = servers.replace("@LISTEN@", listen, 1 if once else -1)
        servers = servers.replace("@COMMON@", f"{self.folder}/common")
        servers = servers.replace("@BASE@", str(stack.base))
        (self.folder / "passwords").write_text("".join(f"{name}:{{PLAIN}}{name}\n" for name in users))
        (self.folder / "common").write_text(COMMON)
        (self.folder / "conf").write_text(CONFIGURATION.format(account=ACCOUNT, folder=self.folder, servers=servers))
        for name in ("passwords", "common"):
            (self.folder / name).chmod(0o644)

    def __enter__(self):
        command = ["nginx", "-c", str(self.folder / "conf"), "-p", str(self.folder)]
        with open(self.folder / "stderr", "wb") as output:
            self.process = subprocess.Popen(command, start_new_session=True, stderr=output)
        try:
            lib.wait_for(self._answers, "nginx")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(lib.BOUND)

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "stderr").read_text()
        try:
            return self.get("/")
        except ConnectionRefusedError:
            return False

    def get(self, path, user=None, source="127.0.0.1", host="localhost", mapped=False, headers=()):
        """(status, body). `source` is the address to come from; `mapped`, to the port of IPv4-mapped addresses."""
        server = "::1" if ":" in source else "127.0.0.1"
        port = self.mapped_port if mapped else self.port
        connection = http.client.HTTPConnection(server, port, timeout=lib.BOUND, source_address=(source, 0))
        try:
            connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            if host is not None:
                connection.putheader("Host", host)
            if user is not None:
                connection.putheader("Authorization", "Basic " + base64.b64encode(f"{user}:{user}".encode()).decode())
            for name, value in dict(headers).items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
