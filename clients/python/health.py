"""Follow a glotsift server's health with the stock client, from start to SIGTERM.

Starts the given command (`glotsift serve ...`), prints every status Check and Watch say, sends SIGTERM once
the server is serving, and fails unless the server went NOT_SERVING (if caught starting), SERVING,
NOT_SERVING, end of Watch, exit status 0.
"""

import argparse
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PATIENCE = 30.0
SERVICE = "glotsift.v1.ClassifierService"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def name(status):
    return health_pb2.HealthCheckResponse.ServingStatus.Name(status)


def check(stub, service):
    try:
        return name(stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status)
    except grpc.RpcError as error:
        return error.code().name


def follow(stub, seen):
    """Collects what Watch says until the server ends the stream."""
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    try:
        for reply in stub.Watch(request, timeout=PATIENCE, wait_for_ready=True):
            seen.append(name(reply.status))
            print(f"watch: {seen[-1]}")
        seen.append("END")
    except grpc.RpcError as error:
        seen.append(error.code().name)
    print(f"watch: {seen[-1]}")


def wait_for(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"error: waited {PATIENCE:.0f} s for {what}")
        time.sleep(0.02)


def run(command):
    address = f"127.0.0.1:{free_port()}"
    server = subprocess.Popen([*command, "--listen", address])
    seen = []
    try:
        with grpc.insecure_channel(address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watcher = threading.Thread(target=follow, args=(stub, seen), daemon=True)
            watcher.start()
            wait_for("SERVING", lambda: "SERVING" in seen)
            for service in ("", SERVICE, "no.such.Service"):
                print(f"check {service!r}: {check(stub, service)}")
            checked = [check(stub, service) for service in ("", SERVICE, "no.such.Service")]
            print("sending SIGTERM")
            server.send_signal(signal.SIGTERM)
            watcher.join(PATIENCE)
        status = server.wait(PATIENCE)
    finally:
        server.kill()
        server.wait()
    print(f"exit status {status}")
    if checked != ["SERVING", "SERVING", "NOT_FOUND"]:
        sys.exit(f"error: Check said {checked}")
    if seen[-3:] != ["SERVING", "NOT_SERVING", "END"] or status != 0:
        sys.exit(f"error: Watch said {seen}, exit status {status}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="such as: glotsift serve")
    run(parser.parse_args().command)


if __name__ == "__main__":
    main()
