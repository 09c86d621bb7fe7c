"""Runs the measuring programs and the server, and reads what they print."""
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time

START_SECONDS = 60


def records(command):
    """The JSON lines that a program prints; it must end well."""
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=own_environment(), check=False)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {run.returncode}")
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def record(command):
    return records(command)[-1]


def own_environment():
    """Settings for other servers, and for threads, are not those of a measurement."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ATTEND_", "OMP_", "CT2_", "MKL_"))}
    return {**kept, **_LIMITS}


_LIMITS = {}


def limit_instructions(simd):
    """For what the measured programs call: the peer itself, its MKL, and oneDNN. To be called once."""
    _LIMITS.update({"CT2_FORCE_CPU_ISA": simd, "MKL_ENABLE_INSTRUCTIONS": simd, "ONEDNN_MAX_CPU_ISA": simd})


def knows_flag(program, flag):
    help_text = subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True, check=False).stdout
    return flag in help_text


def foreign_of(entry):
    """The most cores that others used in any run of a record; what is not known counts as none."""
    value = entry.get("foreign", 0.0)
    return max(value) if isinstance(value, list) else value


@contextlib.contextmanager
def server(program, model, *more):
    """(address, process id) of an attend-server of this model, for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        ports, log_path = os.path.join(folder, "ports"), os.path.join(folder, "log")
        command = [program, "--model", f"{os.path.basename(model)}={model}", "--listen", "127.0.0.1:0",
                   "--metrics-address", "off", "--log-level", "warning", "--port-file", ports, *more]
        with open(log_path, "w", encoding="utf-8") as log:
            process = subprocess.Popen(command, stderr=log, stdout=log, env=own_environment())
        try:
            yield "127.0.0.1:" + _wait_for_port(process, ports, log_path), process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _wait_for_port(process, ports, log_path):
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(FileNotFoundError), open(ports, encoding="ascii") as f:
            for line in f:
                if line.startswith("grpc=") and line.endswith("\n"):
                    return line.strip().split("=")[1]
        time.sleep(0.02)
    with open(log_path, encoding="utf-8") as f:
        raise SystemExit("attend-server did not start: " + f.read()[-2000:])
