"""Runs the emulator for xtask: `launch.py FOLDER`, in the environment that ministack installed, as a group of its own.

FOLDER is for all that it keeps, and goes when it ends. Once it answers, `FOLDER/ready.json` says on which port; the certificate
authority to trust is `FOLDER/ca.pem`. What is written to its standard input ends the functions' processes: the next invocation of each
starts anew. It ends, and with it every function it runs, when its standard input does: that
is when xtask ends, however it ends.
"""

import asyncio
import datetime
import ipaddress
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.request

HOST = "127.0.0.1"


def main(folder):
    threading.Thread(target=end_with_standard_input, args=(folder,), daemon=True).start()
    listener = listen()
    port = listener.getsockname()[1]
    files = make_certificates(folder)
    # ministack reads its settings when it is imported.
    os.environ.update(settings(folder, port, files))
    serve(listener, port, files, folder)


def end_with_standard_input(folder):
    while os.read(0, 4096):
        # Whatever is written to us: end the functions' processes, and with them what they have cached.
        from ministack.core import lambda_runtime

        lambda_runtime.reset()
    shutil.rmtree(folder, ignore_errors=True)
    # The functions are in this group.
    os.killpg(0, signal.SIGKILL)


def listen():
    """A socket on a port that the system picks: nobody else can take it between the choice and the use."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((HOST, 0))
    return listener


def settings(folder, port, files):
    return {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        "LAMBDA_EXECUTOR": "local",
        # TLS, for the links that it hands out; what is served with it is set in `serve`.
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": files["certificate"],
        "MINISTACK_SSL_KEY": files["key"],
        # It opens further ports for these, on every interface, whether or not anybody uses them.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Never a Docker daemon: it removes containers there that it takes for its own.
        "DOCKER_HOST": "unix://" + os.path.join(folder, "no-docker"),
        # What it keeps stays in the folder, and what it looks for in a home is not there.
        "HOME": folder,
        "TMPDIR": folder,
        "STATE_DIR": os.path.join(folder, "state"),
        "S3_DATA_DIR": os.path.join(folder, "s3"),
        # For the functions, which get this environment with their own on top.
        "AWS_ENDPOINT_URL": f"https://{HOST}:{port}",
        "SSL_CERT_FILE": files["authority"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def make_certificates(folder):
    """A certificate authority of this run's own, and a certificate of the loopback address by it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(subject, issuer, public_key, issuer_key, extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer_key, hashes.SHA256())

    def name(common_name):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = name("Local emulator, this run only")
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = certificate(
        authority_name,
        authority_name,
        authority_key.public_key(),
        authority_key,
        [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (key_usage(x509, key_cert_sign=True, crl_sign=True), True),
            (authority_id, False),
        ],
    )
    key = ec.generate_private_key(ec.SECP256R1())
    # Clients by the address, and those that put a bucket's name before `localhost`.
    names = [x509.IPAddress(ipaddress.ip_address(HOST)), x509.DNSName("localhost"), x509.DNSName("*.localhost")]
    leaf = certificate(
        name(HOST),
        authority_name,
        key.public_key(),
        authority_key,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage(x509, digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName(names), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
            (x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), False),
        ],
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "authority": write(os.path.join(folder, "ca.pem"), authority.public_bytes(pem)),
        "certificate": write(os.path.join(folder, "server.pem"), leaf.public_bytes(pem)),
        "key": write(os.path.join(folder, "server.key"), private),
    }


def key_usage(x509, **used):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
    names += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def write(path, content):
    with open(path, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(content)
    return path


def serve(listener, port, files, folder):
    from hypercorn.asyncio import serve as serve_with_hypercorn
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    # ministack's own `main` would also listen on port 443 where it can.
    config.bind = [f"fd://{listener.fileno()}"]
    config.certfile, config.keyfile = files["certificate"], files["key"]
    config.keep_alive_timeout = 75
    ready = threading.Thread(target=tell_when_ready, args=(port, files, folder), daemon=True)
    ready.start()
    asyncio.run(serve_with_hypercorn(app, config))


def tell_when_ready(port, files, folder):
    trust = ssl.create_default_context(cafile=files["authority"])
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    while True:
        try:
            with direct.open(f"https://{HOST}:{port}/_ministack/ready", timeout=10) as answer:
                if answer.status == 200:
                    break
        except OSError:
            time.sleep(0.02)
    ready = write(os.path.join(folder, "ready.new"), json.dumps({"port": port}).encode())
    os.replace(ready, os.path.join(folder, "ready.json"))


main(sys.argv[1])
