"""tools/get-models without a network: folders of one's own, what is there already, what is wrong."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAME = "all-MiniLM-L6-v2"


class GetModels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.into = os.path.join(self.folder, "models")

    def run_script(self, *arguments, **env):
        run = subprocess.run([sys.executable, os.path.join(ROOT, "tools/get-models"), "--into", self.into, *arguments],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **env})
        return run.returncode, run.stdout

    def own_folder(self):
        own = os.path.join(self.folder, "own")
        shutil.copytree(os.path.join(ROOT, "tests/golden/minilm_tiny/model"), own)
        return own

    def test_a_folder_of_ones_own_is_copied_with_the_presets(self):
        own = self.own_folder()
        os.makedirs(os.path.join(own, ".attend"), exist_ok=True)
        code, out = self.run_script("--from", own, NAME)
        self.assertEqual(code, 0, out)
        copied = set(os.listdir(os.path.join(self.into, NAME)))
        self.assertLessEqual({"config.json", "model.safetensors", "attention_presets.json"}, copied)
        self.assertNotIn(".attend", copied)
        self.assertEqual(os.listdir(self.into), [NAME], "nothing is left beside it")

    def test_it_takes_the_place_of_what_was_there(self):
        os.makedirs(os.path.join(self.into, NAME))
        with open(os.path.join(self.into, NAME, "old"), "w"):
            pass
        code, out = self.run_script("--from", self.own_folder(), NAME)
        self.assertEqual(code, 0, out)
        self.assertNotIn("old", os.listdir(os.path.join(self.into, NAME)))

    def test_what_is_wrong_is_said(self):
        for arguments, word in ((["nothing"], "no model is called nothing"), (["--from", self.own_folder()], "one model"),
                                (["--from", self.folder, NAME], "no model folder")):
            code, out = self.run_script(*arguments)
            self.assertNotEqual(code, 0, out)
            self.assertIn(word, out)
            self.assertNotIn("Traceback", out)

    def test_an_index_out_of_reach_leaves_nothing_behind(self):
        code, out = self.run_script(NAME, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0", PIP_NO_INPUT="1",
                                    PIP_EXTRA_INDEX_URL="", PIP_CONFIG_FILE=os.devnull, PIP_CACHE_DIR=self.folder + "/c")
        self.assertEqual(code, 1, out)
        self.assertIn("could not be downloaded", out)
        self.assertEqual(os.listdir(self.into), [])


if __name__ == "__main__":
    unittest.main()
