"""A real mail server on a free loopback port, which a test can tell to misbehave.

    smtp_peer.py FOLDER [--tls implicit|starttls] [--user NAME --password WORD]

Prints one JSON line when it listens: {"port": 2525, "certificate": "FOLDER/cert.pem" or null}. Each accepted message becomes
FOLDER/NNNN.eml, its exact bytes, and FOLDER/NNNN.json, its envelope; the .json comes last, so a message is whole when it
is there. A line on standard input sets the mode and is answered with the same line:

    accept            takes everything (the mode it starts in)
    refuse-connection greets with 554 and closes
    refuse-sender     550 to MAIL FROM
    refuse-recipient  550 to every RCPT TO
    refuse-data       554 after the final dot
    drop-mid-data     closes the connection after the first line of the message
    drop-after-data   takes the message, then closes the connection without a reply
    hang-greeting     accepts the connection and says nothing
    hang-mid-data     says nothing to DATA
    hang-after-data   takes the message, then says nothing

The end of standard input ends it.
"""

import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys

from aiosmtpd.smtp import SMTP, AuthResult

MODES = {
    "accept",
    "refuse-connection",
    "refuse-sender",
    "refuse-recipient",
    "refuse-data",
    "drop-mid-data",
    "drop-after-data",
    "hang-greeting",
    "hang-mid-data",
    "hang-after-data",
}
FOREVER = 24 * 60 * 60


class Peer:
    """What aiosmtpd asks about each step, answered by the mode."""

    def __init__(self, folder):
        self.folder = folder
        self.mode = "accept"
        self.stored = 0

    async def handle_MAIL(self, server, session, envelope, address, options):
        if self.mode == "refuse-sender":
            return "550 5.7.1 Sender refused"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.mode == "refuse-recipient":
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.mode == "refuse-data":
            return "554 5.6.0 Message refused"
        self.store(session, envelope)
        if self.mode == "drop-after-data":
            server.transport.abort()
        if self.mode == "hang-after-data":
            await asyncio.sleep(FOREVER)
        return "250 2.0.0 Stored"

    def store(self, session, envelope):
        self.stored += 1
        path = os.path.join(self.folder, f"{self.stored:04}")
        with open(path + ".eml", "wb") as file:
            file.write(envelope.original_content)
        about = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data,
        }
        with open(path + ".new", "w") as file:
            json.dump(about, file)
        os.rename(path + ".new", path + ".json")


class Server(SMTP):
    """aiosmtpd's server, but for the two steps that its handlers do not reach: the greeting, and the middle of DATA."""

    def __init__(self, peer, **options):
        self.peer = peer
        super().__init__(peer, hostname="peer.test", ident="peer", **options)

    async def _handle_client(self):
        if self.peer.mode == "hang-greeting":
            await asyncio.sleep(FOREVER)
        if self.peer.mode == "refuse-connection":
            await self.push("554 5.3.2 Not now")
            self.transport.close()
            return
        await super()._handle_client()

    async def smtp_DATA(self, arg):
        if self.peer.mode == "drop-mid-data":
            await self.push("354 Go on")
            await self._reader.readline()
            self.transport.abort()
            return
        if self.peer.mode == "hang-mid-data":
            await asyncio.sleep(FOREVER)
        await super().smtp_DATA(arg)


def certificate(folder):
    """A certificate of its own for 127.0.0.1 and localhost, made anew at each start."""
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return cert, key


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder")
    arguments.add_argument("--tls", choices=["implicit", "starttls"])
    arguments.add_argument("--user")
    arguments.add_argument("--password")
    given = arguments.parse_args()

    peer = Peer(given.folder)
    options = {}
    cert = context = None
    if given.tls:
        cert, key = certificate(given.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
    if given.tls == "starttls":
        options = {"tls_context": context, "require_starttls": True}
    if given.user:

        def authenticate(server, session, envelope, mechanism, data):
            if data.login.decode() == given.user and data.password.decode() == given.password:
                return AuthResult(success=True, auth_data=given.user)
            return AuthResult(success=False, handled=False)

        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": given.tls == "starttls"}

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: Server(peer, loop=loop, **options),
        "127.0.0.1",
        0,
        ssl=context if given.tls == "implicit" else None,
    )
    print(json.dumps({"port": listening.sockets[0].getsockname()[1], "certificate": cert}), flush=True)

    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := (await commands.readline()).decode().strip():
        if line in MODES:
            peer.mode = line
        print(line if line in MODES else f"unknown mode: {line}", flush=True)


asyncio.run(main())
