"""Servers that are full, dead or locked."""
import os
import signal
import subprocess
import tempfile
import time

from page_case import DONE, FOLDER, LONG, OPTIONS, PageCase


class Busy(PageCase):
    flags = ("--queue", "1", "--batch", "1")
    expected = ("status of 429", )

    def occupy(self, count):
        jobs = []
        for _ in range(count):
            status, job = self.server.ask("POST", "/v1/jobs", {"prompt": "a",
                                                               "num_inference_steps": 1000})
            self.assertEqual(status, 202)
            jobs.append(job["id"])
            time.sleep(0.3)
        return jobs

    def free(self, jobs):
        for job in jobs:
            self.server.ask("DELETE", f"/v1/jobs/{job}")

    def test_place_in_the_queue(self):
        b = self.browser
        jobs = self.occupy(1)
        self.prompt("a sunflower")
        b.click("#generate")
        b.until("document.getElementById('going-text').textContent.startsWith('Next in the queue')"
                " || document.getElementById('going-text').textContent.startsWith('Waiting, ')")
        self.shot("queued")
        self.free(jobs)
        b.until(DONE)

    def test_a_full_queue_is_waited_for(self):
        b = self.browser
        jobs = self.occupy(2)
        self.prompt("a sunflower")
        b.click("#generate")
        b.until("/^The queue is full\\. Asking again in \\d+ s\\.$/.test("
                "document.getElementById('going-text').textContent)")
        self.readable("full")
        self.free(jobs)
        b.until(DONE)

    def test_waiting_can_be_cancelled(self):
        b = self.browser
        jobs = self.occupy(2)
        self.prompt("a sunflower")
        b.click("#generate")
        b.until("document.getElementById('going-text').textContent.startsWith('The queue is full')")
        b.click("#cancel")
        b.until("document.querySelectorAll('#thumbs li').length === 0")
        self.free(jobs)


class Two(PageCase):
    """A server with two models."""

    flags = ("--model", "emoji", "--model", f"second={FOLDER.parents[1] / 'models/emoji'}",
             "--variant", "fp8")

    def test_another_model(self):
        b = self.browser
        self.assertTrue(b.sees("#model"))
        self.steps(7)
        b.run("document.getElementById('model').focus()")
        b.key("ArrowDown")
        self.assertEqual(b.run("document.getElementById('model').value"), "second")
        self.assertEqual(b.run("document.getElementById('steps').value"), "7", "not its own")
        self.draw("a sunflower")
        self.assertEqual(self.facts()["Model"], "second")
        b.drop("#stage", self.octet("a cat"))
        b.until("document.getElementById('prompt').value === 'a cat'")
        self.assertEqual(b.run("document.getElementById('model').value"), "emoji")
        self.assertEqual(b.run("document.getElementById('steps').value"), "20")


class Trouble(PageCase):
    expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE",
                "ERR_CONNECTION_RESET")

    def test_a_dead_worker_is_not_noticed(self):
        b = self.browser
        self.steps(150)
        self.prompt("a sunflower")
        b.click("#generate")
        b.until("document.getElementById('going-text').textContent.startsWith('Step 2')")
        os.kill(self.server.worker(), signal.SIGKILL)
        b.until(DONE)

    def test_a_dead_server_is_said(self):
        b = self.browser
        self.steps(LONG)
        self.prompt("a sunflower")
        b.click("#generate")
        b.until("document.getElementById('going-text').textContent.startsWith('Step ')")
        self.server.stop()
        b.until("document.getElementById('going-text').textContent.includes('connection was lost')")
        b.until("!document.getElementById('failed').hidden")
        self.readable("failed")
        self.assertEqual(b.text("#failed-text"), "The server cannot be reached.")
        self.assertEqual(b.text("#status-text"), "The server cannot be reached")
        port = self.url.rpartition(":")[2]
        type(self).server = self.start(listen=f"127.0.0.1:{port}")
        b.until("document.getElementById('status').dataset.state === 'ready'")
        b.fill("#steps", "20")
        b.click("#dismiss")
        self.assertTrue(b.sees("#empty"))
        self.draw("a sunflower")


class Keys(PageCase):
    expected = ("status of 401", )

    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.TemporaryDirectory(prefix="octet-keys-")
        cls.addClassCleanup(cls.keys.cleanup)
        path = f"{cls.keys.name}/keys"
        made = subprocess.run([OPTIONS.octet, "key", "add", "ann", "--keys", path], check=True,
                              capture_output=True, text=True)
        cls.key = made.stdout.split()[-1]
        cls.flags = ("--keys", path)
        super().setUpClass()

    def begin(self):
        self.browser.until("document.getElementById('key-dialog').open")

    def test_a_key_is_asked_for_and_kept(self):
        b = self.browser
        self.readable("key")
        b.key("Escape")
        self.assertTrue(b.sees("#key-dialog"), "there is nothing to do without one")
        b.type("wrong")
        b.key("Enter")
        b.until("!document.getElementById('key-problem').hidden")
        b.type(self.key)
        b.click("#key-ok")
        b.until("document.getElementById('status').dataset.state === 'ready'")
        self.draw("a sunflower")
        b.open(self.server.url + "/")
        b.until("document.getElementById('status').dataset.state === 'ready'")
        self.assertFalse(b.sees("#key-dialog"))
        self.assertIsNone(b.run("localStorage.getItem('octet.key')"))
