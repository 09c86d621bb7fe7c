"""engine_bench and serving_bench as whole programs, on a tiny model: that they run what they were asked to run. Not how
fast it was."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARIES = os.environ["ATTEND_BINARIES"]
GOLDEN = os.path.join(ROOT, "tests", "golden", "marian_tiny", "model")
sys.path.insert(0, os.path.join(ROOT, "bench"))

import make_models
from lib import programs, safetensors, workloads

VOCABULARY = 320


def run(name, *arguments):
    return subprocess.run([os.path.join(BINARIES, name), *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=programs.own_environment(), timeout=120)


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Weights of the golden model, written anew, with the tokenizer of make_models.py in place of its own.
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.folder.name, "words")
        os.mkdir(cls.model)
        for name in ("config.json", "generation_config.json"):
            shutil.copy(os.path.join(GOLDEN, name), cls.model)
        cls.copy_weights(os.path.join(GOLDEN, "model.safetensors"), os.path.join(cls.model, "model.safetensors"))
        make_models.write_tokenizer(cls.model, VOCABULARY)
        cls.rows = workloads.make(6, VOCABULARY, seed=3, longest=12, middle=8)
        cls.workload = os.path.join(cls.folder.name, "workload.jsonl")
        workloads.write(cls.workload, cls.rows)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @staticmethod
    def copy_weights(source, target):
        header, begin = safetensors.read_header(source)
        with open(source, "rb") as f:
            data = f.read()
        declared = [(name, tensor["dtype"], tensor["shape"]) for name, tensor in header.items()]
        with safetensors.Writer(target, declared) as writer:
            for name, tensor in header.items():
                first, last = tensor["data_offsets"]
                writer.put(name, data[begin + first:begin + last])

    def records(self, name, *arguments):
        done = run(name, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]


class EngineBench(Bench):
    def offline(self, *arguments, model=None):
        return self.records("engine_bench", "--model", model or self.model, "--workload", self.workload, "--reps", 1,
                            "--extra-reps", 0, *arguments)

    def test_every_combination_writes_every_token(self):
        found = self.offline("--batch", "1,4", "--beam", "1,4", "--limit", 4)
        self.assertEqual([(r["beam"], r["batch"]) for r in found], [(1, 1), (1, 4), (4, 1), (4, 4)])
        tokens = sum(row["n"] for row in self.rows[:4])
        for record in found:
            self.assertEqual((record["sentences"], record["tgt_tokens"]), (4, tokens))
            self.assertEqual(len(record["walls"]), 1)
            for key in ("wall_s", "sent_s", "tok_s", "srctgt_tok_s", "lat_p50_ms", "lat_p95_ms"):
                self.assertGreater(record[key], 0, key)
            for key in ("engine", "op", "model", "compute", "inter", "intra", "order", "foreign", "load_s", "onednn", "cpu"):
                self.assertIn(key, record)
            self.assertEqual(record["order"], "arrival" if record["batch"] == 1 else "sorted")

    def answers(self, *arguments, model=None):
        path = os.path.join(self.folder.name, "answers")
        self.offline("--answers", path, *arguments, model=model)
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def test_answers_have_their_lengths_and_do_not_depend_on_company(self):
        alone = self.answers("--batch", 1)
        self.assertEqual([len(answer) for answer in alone], [row["n"] for row in self.rows])
        self.assertTrue(all(0 not in answer for answer in alone))  # end-of-sentence is forbidden
        for arguments in (("--batch", 4), ("--batch", 4, "--admission", "batch"), ("--batch", 2, "--inter", 2)):
            self.assertEqual(self.answers(*arguments), alone, arguments)

    def test_weights_written_anew_are_the_same_model(self):
        self.assertEqual(self.answers("--batch", 1), self.answers("--batch", 1, model=GOLDEN))

    def test_probe_measures_its_own_memory(self):
        record, = self.records("engine_bench", "probe", "--model", self.model, "--workload", self.workload)
        self.assertGreater(record["load_s"], 0)
        self.assertGreater(record["first_sentence_s"], 0)
        self.assertGreater(record["start_to_first_answer_s"], record["load_s"])
        self.assertLess(record["base_mb"], record["rss_loaded_mb"])
        self.assertGreaterEqual(record["peak_rss_mb"], record["rss_batch32_mb"])

    def test_what_is_wrong_is_said(self):
        for arguments, says in ((["--model", "/nowhere", "--workload", self.workload], "/nowhere"),
                                (["--model", self.model, "--workload", "/nowhere"], "/nowhere"),
                                (["--workload", self.workload], "--model"),
                                (["--model", self.model, "--workload", self.workload, "--batch", "0"], "--batch")):
            done = run("engine_bench", *arguments)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(says, done.stderr + done.stdout)


class ServingBench(Bench):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        server = programs.server(os.path.join(BINARIES, "attend-server"), cls.model)
        cls.address, cls.pid = server.__enter__()
        cls.addClassCleanup(server.__exit__, None, None, None)

    def serving(self, *arguments):
        return self.records("serving_bench", *arguments, "--address", self.address, "--server-pid", self.pid)

    def from_workload(self, *arguments):
        return self.serving(*arguments, "--workload", self.workload)

    def test_a_word_is_the_token_of_its_number(self):
        done = run("attend", "tokenize", "--address", self.address, "--json", "w2 w17 w318")
        self.assertEqual([token["id"] for token in json.loads(done.stdout)["tokens"]], [2, 17, 318, 0])
        done = run("attend", "tokenize", "--address", self.address, "--json", "--ids", "2,17,318")
        self.assertEqual(json.loads(done.stdout)["text"], "w2 w17 w318")

    def test_an_open_loop_sends_what_was_planned(self):
        most, half = self.from_workload("--rates", "max,50%", "--seconds", 0.3, "--concurrency", 4)
        self.assertEqual((most["rate"], most["rate_s"]), ("max", None))
        self.assertAlmostEqual(half["rate_s"], most["req_s"] / 2, places=2)
        self.assertAlmostEqual(half["requests"], max(1, half["rate_s"] * 0.3), delta=1)
        for record in (most, half):
            self.assertEqual((record["errors"], record["model"]), ({}, "models/words"))
            self.assertTrue(record["p50_ms"] <= record["p95_ms"] <= record["p99_ms"] <= record["max_ms"])
            self.assertGreater(record["server_rss_mb"], 1)

    def test_answers_have_their_forced_lengths(self):
        record, = self.from_workload("overhead", "--calls", len(self.rows))
        self.assertEqual(record["requests"], len(self.rows))
        self.assertEqual(record["tgt_tokens"], sum(row["n"] for row in self.rows))
        self.assertEqual(record["mean_batch"], 1)
        self.assertGreater(record["beyond_engine_ms"]["p50"], 0)
        self.assertGreater(record["p50_ms"], record["beyond_engine_ms"]["p50"])
        self.assertEqual(record["errors"], {})

    def test_each_call_is_followed_by_a_health_check(self):
        record, = self.from_workload("overhead", "--calls", 5)
        for percentile in ("p50", "p95"):
            self.assertGreater(record["health_check_ms"][percentile], 0)
            # Of a value less something positive every percentile is lower.
            self.assertLess(record["beyond_health_check_ms"][percentile], record["beyond_engine_ms"][percentile])

    def test_a_closed_loop_has_so_many_callers(self):
        one, five = self.from_workload("closed", "--callers", "1,5", "--seconds", 0.3)
        self.assertEqual((one["callers"], five["callers"]), (1, 5))
        self.assertEqual(one["mean_batch"], 1)
        self.assertTrue(1 < five["mean_batch"] <= 5, five["mean_batch"])

    def test_calls_that_ask_for_attention_are_reported_apart(self):
        record, = self.from_workload("overhead", "--calls", 8, "--attention-every", 4)
        self.assertEqual((record["requests"], record["attention"]["requests"]), (8, 2))

    def test_errors_are_counted_by_their_status(self):
        texts = os.path.join(self.folder.name, "texts")
        with open(texts, "w", encoding="utf-8") as f:
            f.write("w5 w6\n")
        record, = self.serving("overhead", "--calls", 3, "--texts", texts, "--output-tokens", 4)
        self.assertEqual(record["errors"], {})
        record, = self.serving("overhead", "--calls", 3, "--texts", texts, "--beam", 60)
        self.assertEqual(record["errors"], {"INVALID_ARGUMENT": 3})
        self.assertEqual(record["health_check_ms"]["p50"], 0)  # only calls that were answered have one
        with open(texts, "w", encoding="utf-8") as f:
            f.write("w5 " * 100000 + "\n")  # more than the server takes as one text
        record, = self.serving("overhead", "--calls", 3, "--texts", texts)
        self.assertEqual(record["errors"], {"item:INVALID_ARGUMENT": 3})
        self.assertEqual(record["req_s"], 0)

    def test_what_is_wrong_is_said(self):
        for arguments, says in ((["--workload", self.workload, "--model", "models/other"], "models/other"),
                                (["--texts", "/nowhere"], "/nowhere"), ([], "--workload"),
                                (["--workload", self.workload, "--rates", "50%"], "--max-rate"),
                                (["--workload", self.workload, "--rates", "many"], "many")):
            done = run("serving_bench", "--address", self.address, *arguments)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(says, done.stderr + done.stdout)


del Bench  # has no tests of its own

if __name__ == "__main__":
    unittest.main()
