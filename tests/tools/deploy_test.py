"""What the container files promise: they can be read without a network, publish on this machine only, and keep the
bundled model in view."""
import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


class Deploy(unittest.TestCase):
    def setUp(self):
        self.docker = read("Dockerfile")
        self.compose = read("deploy/compose.yaml")

    def test_no_frontend_is_fetched(self):
        self.assertNotIn("# syntax", self.docker)

    def test_ports_are_published_on_loopback_only(self):
        ports = re.findall(r'- "([\d.:]+)"', self.compose)
        self.assertGreaterEqual(len(ports), 3)
        for port in ports:
            self.assertTrue(port.startswith("127.0.0.1:"), port)

    def test_further_models_do_not_hide_the_bundled_one(self):
        mount = re.search(r"- \$\{ATTEND_MODELS:-(\S+)\}:(\S+):ro", self.compose)
        bundled = re.search(r"^COPY models/en-fr (\S+)$", self.docker, re.M).group(1)
        self.assertFalse((bundled + "/").startswith(mount.group(2) + "/"))
        self.assertIn(f"ATTEND_MODEL={bundled}", self.docker)
        self.assertIn(f"ATTEND_MODELS_DIR={mount.group(2)}", self.docker)
        # Found by default, and without a second en-fr, which the server would refuse.
        self.assertTrue(os.path.isdir(os.path.join(ROOT, "deploy", mount.group(1))))
        self.assertFalse(os.path.exists(os.path.join(ROOT, "deploy", mount.group(1), "en-fr")))

    def test_the_image_is_built_from_what_developers_install(self):
        setup = read("tools/setup")
        listed = set(re.search(r"packages=\((.*?)\)", setup, re.S).group(1).split())
        listed.update(re.search(r"debian:13\) packages\+=\((.*?)\)", setup).group(1).split())
        build_stage = self.docker.split("\nFROM ")[1]
        asked = re.search(r"--no-install-recommends \\\n(.*?)&&", build_stage, re.S).group(1)
        for package in asked.replace("\\", " ").split():
            self.assertIn(package, listed)


if __name__ == "__main__":
    unittest.main()
