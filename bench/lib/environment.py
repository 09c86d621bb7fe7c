"""The throw-away Python environment of the peer, the models of random weights, and their conversions. Everything lies
under build/bench and is made when it is missing; deleting that folder is always safe."""
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, "bench")
BUNDLED = os.path.join(ROOT, "models", "en-fr")


def say(text):
    print(f"[bench] {text}", file=sys.stderr, flush=True)


class Environment:
    """python: an interpreter that has what requirements.txt names; None: one is made."""

    def __init__(self, folder, binaries, python=None):
        self.folder, self.binaries = os.path.abspath(folder), os.path.abspath(binaries)
        os.makedirs(self.folder, exist_ok=True)
        self.python = python or self._make_python()

    def program(self, name):
        path = os.path.join(self.binaries, name)
        if not os.path.exists(path):
            raise SystemExit(f"{path} is missing; build it: tools/build release")
        return path

    def _make_python(self):
        with open(os.path.join(BENCH, "requirements.txt"), "rb") as f:
            wanted = hashlib.sha256(f.read()).hexdigest()
        folder = os.path.join(self.folder, "python")
        python, stamp = os.path.join(folder, "bin", "python"), os.path.join(folder, "stamp")
        if os.path.exists(stamp) and open(stamp, encoding="ascii").read() == wanted:
            return python
        say(f"making {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r",
                        os.path.join(BENCH, "requirements.txt")], check=True)
        with open(stamp, "w", encoding="ascii") as f:
            f.write(wanted)
        return python

    def model(self, name):
        """A folder of make_models.py, or the bundled model."""
        if name == "en-fr":
            return BUNDLED
        folder = os.path.join(self.folder, "models", name)
        if not os.path.exists(os.path.join(folder, "model.safetensors")):
            say(f"making the model {name}")
            subprocess.run([self.python, os.path.join(BENCH, "make_models.py"), "--out", os.path.dirname(folder),
                            "--which", name], check=True, stdout=subprocess.DEVNULL)
        return folder

    def workload(self, name):
        # The bundled model has the vocabulary size of "tiny".
        return os.path.join(self.model("tiny" if name == "en-fr" else name), "workload.jsonl")

    def peer_model(self, name, compute):
        """The same weights, stored in this type."""
        folder = os.path.join(self.folder, "ctranslate2", f"{name}-{compute}")
        if not os.path.exists(os.path.join(folder, "model.bin")):
            say(f"converting {name} to {compute}")
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            subprocess.run(self.peer("convert", self.model(name), out=folder, compute_type=compute), check=True)
        return folder

    def peer(self, op, model, **options):
        """The command line of peer_ct2.py."""
        return [self.python, os.path.join(BENCH, "peer_ct2.py"), op, "--model", model] + flags(options)


def flags(options):
    """{"max_batch": 32} → ["--max-batch", "32"]."""
    words = []
    for name, value in options.items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return words
