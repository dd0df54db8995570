"""`octet serve` as a process, with a port of its own."""
import json
import re
import subprocess
import threading
import urllib.error
import urllib.request


class Server:
    def __init__(self, octet, *flags, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([octet, "serve", "--listen", listen, *flags],
                                        stderr=subprocess.PIPE, text=True)
        self.said = ""
        self.url = None
        while self.url is None:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError(f"the server does not start: {self.said}")
            self.said += line
            match = re.search(r"listening on (http://\S+)", line)
            self.url = match and match.group(1)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        try:
            for line in self.process.stderr:
                self.said += line
        except ValueError:
            pass  # closed

    def ask(self, method, path, body=None):
        """(status, JSON of the answer)."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def worker(self):
        """The process that draws."""
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                                  capture_output=True, text=True, check=True)
        return int(children.stdout.split()[0])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
