"""tools/setup, tools/demo and tools/test with everything heavy replaced: package tools, compiler, server and client are
stubs that note how they were called. What is tested is what the scripts decide."""
import hashlib
import os
import pty
import shutil
import subprocess
import tempfile
import textwrap
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)
        self.calls = os.path.join(self.root, "calls")
        open(self.calls, "w").close()
        os.mkdir(os.path.join(self.root, "tools"))

    def copy(self, name):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), path)

    def stub(self, path, body):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as f:
            f.write(f'#!/bin/bash\necho "{os.path.basename(path)} $*" >> {self.calls}\n{textwrap.dedent(body)}\n')
        os.chmod(full, 0o755)

    def run_script(self, *arguments, env=None, stdout=subprocess.PIPE):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ATTEND_")}
        environment["PATH"] = os.path.join(self.root, "path") + ":" + environment["PATH"]
        environment.update(env or {})
        run = subprocess.run([os.path.join(self.root, arguments[0]), *arguments[1:]], env=environment, text=True,
                             stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT)
        return run.returncode, run.stdout

    def calls_made(self):
        with open(self.calls) as f:
            return f.read().splitlines()


class Setup(Scripts):
    def setUp(self):
        super().setUp()
        self.copy("tools/setup")
        self.copy("third_party/onednn-requirements.txt")
        # oneDNN is there already: the packages are what is tested.
        with open(os.path.join(self.root, "third_party/onednn-requirements.txt"), "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        os.makedirs(os.path.join(self.root, ".deps/onednn"))
        with open(os.path.join(self.root, ".deps/onednn/.stamp"), "w") as f:
            f.write(digest)
        self.stub("path/apt-get", "")

    def user(self, uid, sudo, missing=""):
        self.stub("path/id", f"echo {uid}")
        self.stub("path/dpkg-query", f'[ "${{@: -1}}" = "{missing}" ] || echo -n installed')
        if sudo:
            self.stub("path/sudo", 'exec "$@"')
        else:
            # A search path without sudo: only what the script needs.
            for name in ("bash", "dirname", "sha256sum", "cut", "cat", "tail", "rm", "env"):
                os.symlink(shutil.which(name), os.path.join(self.root, "path", name))

    def setup(self, sudo=True):
        env = {} if sudo else {"PATH": os.path.join(self.root, "path")}
        code, out = self.run_script("tools/setup", env=env)
        return code, out, [c for c in self.calls_made() if c.startswith(("apt-get", "sudo"))]

    def test_nothing_missing_asks_for_no_rights(self):
        for sudo in (True, False):
            with self.subTest(sudo=sudo):
                self.user(1000, sudo)
                code, out, calls = self.setup(sudo)
                self.assertEqual((code, calls), (0, []), out)

    def test_root_installs_what_is_missing_and_waits_for_the_lock(self):
        self.user(0, sudo=False, missing="ninja-build")
        code, out, calls = self.setup(sudo=False)
        self.assertEqual(code, 0, out)
        self.assertEqual(len(calls), 2, calls)
        for call in calls:
            self.assertIn("-o DPkg::Lock::Timeout=", call)
        self.assertTrue(calls[1].endswith("--no-install-recommends ninja-build"), calls)

    def test_a_user_installs_through_sudo(self):
        self.user(1000, sudo=True, missing="ninja-build")
        code, out, calls = self.setup()
        self.assertEqual(code, 0, out)
        self.assertTrue(calls[0].startswith("sudo env"), calls)

    def test_without_rights_it_says_what_root_should_run(self):
        self.user(1000, sudo=False, missing="ninja-build")
        code, out, calls = self.setup(sudo=False)
        self.assertEqual((code, calls), (1, []), out)
        self.assertIn("apt-get install ninja-build", out)


class Demo(Scripts):
    def setUp(self):
        super().setUp()
        self.copy("tools/demo")
        self.stub("tools/setup", "")
        self.stub("tools/get-models", "")
        self.stub("tools/build", 'echo "jobs ${ATTEND_JOBS:-}" >> ' + self.calls)
        self.serve("""
            trap 'exit 0' TERM
            echo "listening happily"
            for i in $(seq 10); do [ "$1" = --port-file ] && printf 'grpc=1\\nmetrics=2\\n' > "$2"; shift; done
            while :; do sleep 0.05; done""")
        self.stub("build/release/bin/attend", 'env | grep ^ATTEND_ >> ' + self.calls)

    def serve(self, body):
        self.stub("build/release/bin/attend-server", "env | grep ^ATTEND_ >> " + self.calls + "\n" + textwrap.dedent(body))

    def test_shows_translations_and_attention(self):
        code, out = self.run_script("tools/demo", "- One.", "Two.")
        self.assertEqual(code, 0, out)
        calls = self.calls_made()
        for call in ("attend translate --beam-size 4 --align -- - One.", "attend translate --beam-size 4 --align -- Two.",
                     "attend attention --model en-fr -- - One."):
            self.assertIn(call, calls)
        self.assertNotIn("listening happily", out)

    def test_without_the_encoder_the_bundled_model_serves_alone(self):
        self.serve("""
            echo "served $*" >> """ + self.calls + """
            trap 'exit 0' TERM
            for i in $(seq 10); do [ "$1" = --port-file ] && printf 'grpc=1\\nmetrics=2\\n' > "$2"; shift; done
            while :; do sleep 0.05; done""")
        self.run_script("tools/demo", "One.")
        self.stub("tools/get-models", "exit 1")
        code, out = self.run_script("tools/demo", "One.")
        self.assertEqual(code, 0, out)
        served = [c for c in self.calls_made() if c.startswith("served")]
        self.assertIn("all-MiniLM-L6-v2", served[0])
        self.assertNotIn("all-MiniLM-L6-v2", served[1])
        self.assertIn("--model models/en-fr", served[1])

    def test_settings_for_other_servers_do_not_reach_this_one(self):
        code, out = self.run_script("tools/demo", "One.", env={"ATTEND_LISTEN": "0.0.0.0:1", "ATTEND_JOBS": "3"})
        self.assertEqual(code, 0, out)
        calls = self.calls_made()
        self.assertIn("jobs 3", calls)
        self.assertEqual({c for c in calls if c.startswith("ATTEND_")}, {"ATTEND_ADDRESS=127.0.0.1:1"})

    def test_a_server_that_does_not_start_shows_its_log(self):
        self.serve('echo "the model is broken" >&2; exit 1')
        code, out = self.run_script("tools/demo")
        self.assertEqual(code, 1)
        self.assertIn("the server did not start", out)
        self.assertIn("the model is broken", out)

    def test_a_client_that_fails_shows_the_servers_log(self):
        self.stub("build/release/bin/attend", '[ "$1" = probe ]')
        code, out = self.run_script("tools/demo")
        self.assertEqual(code, 1)
        self.assertIn("listening happily", out)

    def test_colours_are_for_terminals_that_want_them(self):
        def on_terminal(**env):
            master, slave = pty.openpty()
            try:
                self.run_script("tools/demo", "One.", env={"NO_COLOR": "", **env}, stdout=slave)
                return os.read(master, 65536)  # little enough to lie in the terminal's buffer
            finally:
                os.close(master)
                os.close(slave)

        self.assertIn(b"\x1b[1m", on_terminal(TERM="xterm"))
        self.assertNotIn(b"\x1b[", on_terminal(TERM="xterm", NO_COLOR="1"))
        self.assertNotIn("\x1b[", self.run_script("tools/demo", "One.", env={"TERM": "xterm"})[1])
        self.assertFalse([c for c in self.calls_made() if "--color" in c])


class Test(Scripts):
    def setUp(self):
        super().setUp()
        self.copy("tools/test")
        self.stub("tools/setup", "")
        self.stub("tools/get-models", "")
        self.stub("tools/build", "")
        self.stub("path/ctest", "")

    def test_passes_flags_on_and_refuses_an_empty_choice(self):
        code, out = self.run_script("tools/test", "asan", "-R", "queue")
        self.assertEqual(code, 0, out)
        self.assertIn("build asan", self.calls_made())
        ctest = [c for c in self.calls_made() if c.startswith("ctest")][0]
        self.assertIn("--preset asan", ctest)
        self.assertIn("--no-tests=error", ctest)
        self.assertTrue(ctest.endswith("-R queue"), ctest)

    def test_a_model_that_cannot_be_fetched_is_no_reason_to_stop(self):
        self.stub("tools/get-models", "exit 1")
        code, out = self.run_script("tools/test")
        self.assertEqual(code, 0, out)
        self.assertIn("going on without the models", out)

    def test_unknown_words_are_refused_before_anything_is_built(self):
        for words in (["relase"], ["release", "queue"], ["asan", "tsan"]):
            code, out = self.run_script("tools/test", *words)
            self.assertEqual(code, 2, out)
            self.assertIn(words[-1], out)
        self.assertEqual(self.calls_made(), [])


class Readme(Scripts):
    def test_the_run_block_can_be_pasted(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
            block = f.read().split("## Run it\n\n```sh\n")[1].split("```")[0]
        for script in ("tools/setup", "tools/build", "build/release/bin/attend"):
            self.stub(script, "")
        self.stub("build/release/bin/attend-server", 'trap "echo stopped >> ' + self.calls + '; exit 0" TERM\n'
                  "echo ready >&2; while :; do sleep 0.05; done")
        # The client waits for the server in earnest; here for its first word.
        self.stub("build/release/bin/attend", "until grep -q ready build/server.log; do sleep 0.05; done")
        script = os.path.join(self.root, "pasted")
        with open(script, "w") as f:
            f.write(f"#!/bin/bash\nset -e\ncd {self.root}\n{block}wait\n")
        os.chmod(script, 0o755)
        code, out = self.run_script("pasted")
        self.assertEqual(code, 0, out)
        calls = self.calls_made()
        self.assertEqual(calls[-1], "stopped")
        self.assertIn("attend translate Where is the train station?", calls)
        self.assertTrue(any("--listen 127.0.0.1:" in c and "--metrics-address 127.0.0.1:" in c for c in calls), calls)


if __name__ == "__main__":
    unittest.main()
