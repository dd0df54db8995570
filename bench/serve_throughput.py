#!/usr/bin/env python3
"""What a running batch gives: pictures per second of one client after the other and of many at once,
through HTTP, from one server.

    serve_throughput.py --octet build-cuda/octet [--clients 8] [--pictures 32] [--size 512x512] [--rounds 2]
        [--json FILE] -- --device cuda --model synthetic:sd3.5-medium@fp8

What stands behind -- goes to `octet serve`. No prompt comes twice, so that no text is remembered.
"""
import argparse
import http.client
import json
import statistics
import subprocess
import threading
import time

START = 180  # seconds for loading a model


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--octet", default="build-cuda/octet")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--size", default="512x512")
    parser.add_argument("--steps", type=int, help="default: from the model")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--port", type=int, default=18231)
    parser.add_argument("--json")
    parser.add_argument("serve", nargs="*", help="flags of octet serve")
    return parser.parse_args()


def ask(o, number):
    body = {"prompt": f"a red apple, number {number}", "seed": number, "size": o.size}
    if o.steps:
        body["num_inference_steps"] = o.steps
    connection = http.client.HTTPConnection("127.0.0.1", o.port, timeout=START)
    connection.request("POST", "/v1/images/generations", json.dumps(body),
                       {"Content-Type": "application/json"})
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"status {answer.status}: {data[:200]!r}")
    connection.close()


def draw(o, numbers, clients):
    """Seconds until `clients`, who take the next number as soon as they have their picture, are done."""
    lock, errors = threading.Lock(), []

    def live():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None or errors:
                return
            try:
                ask(o, number)
            except Exception as error:  # shown by the main thread
                errors.append(error)

    threads = [threading.Thread(target=live) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return time.monotonic() - began


def wait_until_ready(o, server):
    until = time.monotonic() + START
    while time.monotonic() < until and server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", o.port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit("the server does not become ready")


def main():
    o = options()
    server = subprocess.Popen([o.octet, "serve", "--listen", f"127.0.0.1:{o.port}", "--batch",
                               str(o.clients), *o.serve])
    try:
        wait_until_ready(o, server)
        number, times = 1, {1: [], o.clients: []}
        for counted in range(-1, o.rounds):  # the first round warms up
            for clients, kept in times.items():
                seconds = draw(o, iter(range(number, number + o.pictures)), clients)
                number += o.pictures
                if counted >= 0:
                    kept.append(seconds)
                print(f"{clients} clients, {o.pictures} pictures: {seconds:.3f} s"
                      f"{'' if counted >= 0 else ' (not counted)'}", flush=True)
    finally:
        server.terminate()
        server.wait(60)
    alone, together = (o.pictures / statistics.median(kept) for kept in times.values())
    print(f"one after the other {alone:.3f} pictures/s, {o.clients} clients {together:.3f}: "
          f"{together / alone:.2f} times")
    if o.json:
        with open(o.json, "w", encoding="utf-8") as file:
            json.dump({"serve": o.serve, "size": o.size, "pictures": o.pictures,
                       "clients": o.clients, "seconds": {str(k): v for k, v in times.items()},
                       "per_second_alone": alone, "per_second_together": together}, file, indent=1)


if __name__ == "__main__":
    main()
