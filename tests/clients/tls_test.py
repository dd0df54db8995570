"""TLS of `octet serve` as other programs see it: Python's ssl module, which checks the certificate, and
`openssl s_client`.

    tls_test.py OCTET
"""
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "soak"))
from octet_server import OctetServer  # noqa: E402


def make_certificate(path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", f"{path}.key", "-out", f"{path}.crt"],
                   check=True, capture_output=True)
    Path(f"{path}.key").chmod(0o600)


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = cls.folder.name + "/tls"
        make_certificate(cls.path)
        cls.context = ssl.create_default_context(cafile=cls.path + ".crt")
        cls.server = OctetServer(OCTET, "--threads", "1", "--tls-cert", cls.path + ".crt", "--tls-key",
                                 cls.path + ".key", nice=5, tls=cls.context)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        cls.folder.cleanup()
        assert cls.server.code == 0

    def test_a_picture_and_its_url(self):
        body = {"prompt": "a red apple", "size": "128x128", "num_inference_steps": 2,
                "response_format": "url"}
        status, _, data = self.server.ask("POST", "/v1/images/generations", body)
        self.assertEqual(status, 200)
        url = json.loads(data)["data"][0]["url"]
        base = f"https://localhost:{self.server.port}"
        self.assertTrue(url.startswith(base), url)
        status, headers, data = self.server.ask("GET", url[len(base):])
        self.assertEqual((status, headers["Content-Type"], data[1:4]), (200, "image/png", b"PNG"))

    def test_the_certificate_is_the_given_one(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            with socket.create_connection(("localhost", self.server.port)) as plain:
                ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
        with socket.create_connection(("localhost", self.server.port)) as plain:
            with self.context.wrap_socket(plain, server_hostname="localhost") as tls:
                self.assertEqual(tls.version(), "TLSv1.3")

    def test_many_at_once(self):
        """Handshakes, requests and connections that are dropped in the middle of one."""
        wrong = []

        def ask(index):
            if index % 4 == 0:
                with socket.create_connection(("localhost", self.server.port)) as plain:
                    plain.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[:index % 11])
                return
            for path in ("/healthz", "/v1/models", "/"):
                status = self.server.ask("GET", path)[0]
                if status != 200:
                    wrong.append((path, status))

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def s_client(self, *flags):
        return subprocess.run(
            ["openssl", "s_client", "-connect", f"localhost:{self.server.port}", "-CAfile",
             self.path + ".crt", "-verify_return_error", "-quiet", *flags],
            input=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            capture_output=True, timeout=30)

    def test_s_client(self):
        for flags in ([], ["-tls1_3"], ["-tls1_2"]):
            answer = self.s_client(*flags)
            self.assertTrue(answer.stdout.startswith(b"HTTP/1.1 200 OK"), (flags, answer.stderr))
            self.assertEqual(answer.returncode, 0)
        for flags in (["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
                      ["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"],
                      ["-tls1_2", "-cipher", "AES256-SHA"]):
            answer = self.s_client(*flags)
            self.assertEqual(answer.stdout, b"", flags)
            self.assertIn(b"alert", answer.stderr, flags)


if __name__ == "__main__":
    OCTET = sys.argv.pop(1)
    unittest.main()
