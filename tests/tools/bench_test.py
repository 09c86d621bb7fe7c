"""The benches' Python: how figures, workloads, tables and pictures are made. Neither numpy nor the peer is needed."""
import importlib.machinery
import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, "bench")
sys.path.insert(0, BENCH)

import make_models
import plot_load
from lib import figures, growth, offline_rows, online, pairs, programs, safetensors, sentencepiece_file, workloads


class Figures(unittest.TestCase):
    def test_percentiles_lie_between_the_nearest_values(self):
        self.assertEqual(figures.percentile([4, 1, 3, 2], 50), 2.5)
        self.assertEqual(figures.percentile([10, 20], 95), 19.5)
        self.assertEqual(figures.percentile([7], 99), 7)
        self.assertEqual(figures.percentile([3, 1, 2], 100), 3)
        self.assertIsNone(figures.percentile([], 50))

    def test_spread_is_half_the_range_over_the_median(self):
        self.assertAlmostEqual(figures.spread([90, 100, 120]), 0.15)
        self.assertEqual(figures.spread([5]), 0)

    def test_arrivals_are_those_of_serving_bench(self):  # tests/bench/arrivals_test.cc
        for found, expected in zip(figures.poisson_arrivals(10, 0.4, 7), (0.0494017, 0.0510948, 0.2821169, 0.3695671)):
            self.assertAlmostEqual(found, expected, places=6)

    def test_arrivals_are_a_poisson_process(self):
        arrivals = figures.poisson_arrivals(50, 400, 3)
        self.assertEqual(len(arrivals), 20000)
        gaps = [b - a for a, b in zip([0.0] + arrivals, arrivals)]
        mean = sum(gaps) / len(gaps)
        self.assertAlmostEqual(mean, 0.02, delta=0.0006)
        self.assertAlmostEqual((sum(g * g for g in gaps) / len(gaps) - mean ** 2) ** 0.5, 0.02, delta=0.001)
        self.assertEqual(len(figures.poisson_arrivals(0.1, 1, 1)), 1)

    def test_splitmix_gives_its_published_numbers(self):
        random = figures.SplitMix64(1234567)
        self.assertEqual([random.next() for _ in range(3)],
                         [6457827717110365317, 3203168211198807973, 9817491932198370423])


class Workloads(unittest.TestCase):
    def test_lengths_and_ids_stay_within_their_bounds(self):
        rows = workloads.make(200, 50, seed=1)
        self.assertEqual(rows, workloads.make(200, 50, seed=1))
        self.assertNotEqual(rows, workloads.make(200, 50, seed=2))
        for row in rows:
            self.assertEqual(len(row["src"]), row["n"])
            self.assertTrue(5 <= row["n"] <= 40)
            self.assertTrue(all(2 <= i < 49 for i in row["src"]))  # neither special nor padding
        for row in workloads.make_fixed(3, 512, 50, seed=1):
            self.assertEqual((len(row["src"]) + 1, row["n"]), (512, 512))

    def test_a_file_reads_as_it_was_written(self):
        rows = workloads.make(5, 50, seed=1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "w")
            workloads.write(path, rows)
            self.assertEqual(workloads.read(path), rows)
            self.assertEqual(workloads.read(path, 2), rows[:2])

    def test_batches_are_those_of_engine_bench(self):  # tests/bench/workload_test.cc
        rows = [{"n": n} for n in (3, 1, 3, 2, 3)]
        self.assertEqual(workloads.batches(rows, 2, "arrival"), [[0, 1], [2, 3], [4]])
        self.assertEqual(workloads.batches(rows, 2, "sorted"), [[1, 3], [0, 2], [4]])
        self.assertEqual(workloads.batches(rows, 2, "same"), [[1], [3], [0, 2], [4]])


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "file")

    def test_safetensors_have_header_and_tensors_in_place(self):
        with safetensors.Writer(self.path, [("a", "F32", (2, 2)), ("b", "F16", (3,))]) as writer:
            writer.put("a", struct.pack("<4f", 1, 2, 3, 4))
            writer.put("b", b"\1\2\3\4\5\6")
        header, begin = safetensors.read_header(self.path)
        self.assertEqual(header, {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
                                  "b": {"dtype": "F16", "shape": [3], "data_offsets": [16, 22]}})
        self.assertEqual(begin % 8, 0)
        with open(self.path, "rb") as f:
            data = f.read()
        self.assertEqual(data[begin:], struct.pack("<4f", 1, 2, 3, 4) + b"\1\2\3\4\5\6")

    def test_safetensors_refuse_what_was_not_declared(self):
        for name, data in (("b", b"\0" * 4), ("a", b"\0" * 5)):
            with self.assertRaises(ValueError), safetensors.Writer(self.path, [("a", "F32", (1,))]) as writer:
                writer.put(name, data)
        with self.assertRaises(ValueError), safetensors.Writer(self.path, [("a", "F32", (1,))]):
            pass  # nothing written

    def test_sentencepiece_model_is_the_expected_message(self):
        data = sentencepiece_file.model_bytes(["w2"])
        expected = (b"\x0a\x0d" + b"\x0a\x04</s>\x15\0\0\0\0\x18\x03" + b"\x0a\x0e" + b"\x0a\x05<unk>\x15\0\0\0\0\x18\x02" +
                    b"\x0a\x0e" + b"\x0a\x05\xe2\x96\x81w2\x15\0\0\x80\xbf\x18\x01")
        self.assertTrue(data.startswith(expected), data)
        self.assertEqual(data[len(expected):], b"\x12\x04\x18\x01\x20\x03" + b"\x1a\x10\x0a\x08identity\x18\1\x20\1\x28\1")

    def test_models_have_the_tensors_that_their_size_says(self):
        tensors = dict(make_models.tensors_of(make_models.MODELS["opus"]))
        self.assertEqual(len(tensors), 254)
        self.assertEqual(tensors["model.shared.weight"], (59514, 512))
        self.assertEqual(tensors["model.decoder.layers.5.encoder_attn.out_proj.weight"], (512, 512))
        self.assertNotIn("model.encoder.layers.0.encoder_attn.q_proj.weight", tensors)


def entry(value, foreign=0.0):
    return {"engine": "x", "compute": "int8", "v": value, "foreign": foreign}


def row_of(ours, peer, lower=True, target=0.5):
    """Each side gives the next of its entries."""
    ours, peer = iter(ours), iter(peer)
    return pairs.Row("what", [lambda: next(ours)], [lambda: next(peer)], lambda e: e["v"], "ms", lower, target)


class Pairs(unittest.TestCase):
    def test_ratio_is_the_median_of_pairs(self):
        row = row_of([entry(1), entry(2), entry(3)], [entry(10), entry(4), entry(10)])
        pairs.measure([row], reps=3, extra=0, noise=0.1)
        found = pairs.summary(row)
        self.assertEqual(sorted(found["ratios"]), [0.1, 0.3, 0.5])
        self.assertAlmostEqual(found["ratio"], 0.3)
        self.assertAlmostEqual(found["spread"], 0.2 / 0.3)
        self.assertTrue(found["met"])
        self.assertEqual((found["ours"], found["peer"], found["repetitions"]), (2, 10, 3))

    def test_both_sides_take_turns(self):
        order = []
        row = pairs.Row("what", [lambda: order.append("ours") or entry(1)], [lambda: order.append("peer") or entry(1)],
                        lambda e: e["v"], "ms", True, 1)
        pairs.measure([row], reps=3, extra=0, noise=0.1)
        self.assertEqual(order, ["ours", "peer", "peer", "ours", "ours", "peer"])

    def test_disturbed_pairs_are_repeated_so_often_at_most(self):
        row = row_of([entry(1), entry(2, [0.0, 0.9]), entry(3), entry(9)], [entry(1, 0.5), entry(1), entry(1), entry(1)])
        pairs.measure([row], reps=1, extra=5, noise=0.1)
        self.assertEqual(row.values(0), [3])
        row = row_of([entry(1, 0.9), entry(2, 0.3), entry(3, 0.5)], [entry(1)] * 3)
        pairs.measure([row], reps=2, extra=1, noise=0.1)
        self.assertEqual(sorted(row.values(0)), [2, 3])
        self.assertEqual(pairs.summary(row)["foreign"], 0.5)

    def test_the_best_way_of_each_side_counts(self):
        for lower, best in ((True, 1), (False, 5)):
            row = pairs.Row("what", [lambda: entry(5), lambda: entry(1)], [lambda: entry(2)], lambda e: e["v"], "", lower, 1)
            pairs.measure([row], reps=1, extra=0, noise=0.1)
            self.assertEqual(row.values(0), [best])

    def test_table(self):
        slow = row_of([entry(123.4)], [entry(100)])
        fast = row_of([entry(12.36)], [entry(4)], lower=False, target=1.5)
        for row in (slow, fast):
            pairs.measure([row], reps=1, extra=0, noise=0.1)
        lines = pairs.ratio_table([pairs.summary(slow), pairs.summary(fast)]).splitlines()
        self.assertEqual(lines[2], "| what | int8 | ms | 123 | 100 | 1.23 | ± 0 % | ≤ 0.5 | – | no |")
        self.assertEqual(lines[3], "| what | int8 | ms | 12.4 | 4.00 | 3.09 | ± 0 % | ≥ 1.5 | – | yes |")
        self.assertEqual({line.count("|") for line in lines}, {11})


class Commands(unittest.TestCase):
    class Environment:
        def __init__(self, folder, help_text):
            self.path = os.path.join(folder, "engine_bench")
            with open(self.path, "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\necho '{help_text}'\n")
            os.chmod(self.path, 0o755)

        def program(self, name):
            return self.path

        def model(self, name):
            return "/models/" + name

        def workload(self, name):
            return "/models/" + name + "/workload.jsonl"

        def peer_model(self, name, compute):
            return f"/ct2/{name}-{compute}"

        def peer(self, op, model, **options):
            return [op, model, options]

    def offline(self, help_text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return offline_rows.Offline(self.Environment(folder.name, help_text), 64, "int8")

    def test_what_is_asked_for_wins_over_what_is_usual(self):
        offline = self.offline("--compute-type")
        command = offline.ours("opus", "probe", workload="/other", limit=3, threads=2)
        self.assertEqual(command[1:], ["probe", "--model", "/models/opus", "--workload", "/other", "--limit", "3",
                                       "--threads", "2", "--compute-type", "int8"])
        self.assertEqual(offline.ours("opus", compute="float32")[-2:], ["--compute-type", "float32"])
        op, model, options = offline.peer("tiny", workers=2, limit=5)
        self.assertEqual((op, model, options["config"], options["limit"]), ("offline", "/ct2/tiny-int8", "int8:2:1", 5))

    def test_an_engine_without_the_choice_is_not_asked_for_a_type(self):
        offline = self.offline("--threads")
        self.assertNotIn("--compute-type", offline.ours("opus"))

    def test_memory_is_less_the_peers_python(self):
        offline = self.offline("")
        row = next(row for row in offline.rows(cores=2) if row.title.endswith("peak"))
        record = {"base_mb": 30, "peak_rss_mb": 130}
        self.assertEqual(row.value({"engine": "ctranslate2 1", **record}), 100)
        self.assertEqual(row.value({"engine": "attend", **record}), 130)

    def test_what_a_call_costs_is_told_with_and_without_what_any_call_costs(self):
        measured = online.Online(None, None, "tiny", 1, 1, [])
        runs = iter([{"beyond_engine_ms": {"p50": whole}, "beyond_health_check_ms": {"p50": own}}
                     for whole, own in ((0.5, 0.1), (0.7, 0.3), (0.6, 0.2))])
        measured.ours = lambda *words: next(runs)
        whole, own = measured.overhead(reps=3)
        self.assertEqual((whole["value"], whole["target"], whole["met"]), (0.6, 0.3, False))
        self.assertEqual((own["value"], own["target"], own["met"]), (0.2, 0.3, True))
        self.assertNotEqual(whole["title"], own["title"])

    def test_the_peer_can_read_another_type_than_it_computes_in(self):
        offline = self.offline("")
        _, model, options = offline.peer("opus", "probe", stored="float32")
        self.assertEqual((model, options["config"]), ("/ct2/opus-float32", "int8:1:1"))
        titles = [row.title for row in offline.rows(cores=2)]
        for what in ("resident after batches of 32", "peak"):
            own = next(i for i, title in enumerate(titles) if title.endswith(what))
            self.assertEqual(titles[own + 1], titles[own] + ", the peer's file in float32")

    def test_a_program_that_fails_ends_the_comparison(self):
        self.assertEqual(programs.record(["echo", '{"a": 1}']), {"a": 1})
        with self.assertRaises(SystemExit):
            programs.record(["false"])

    def test_every_script_explains_itself(self):
        for name in ("compare", "scaling", "plot_load.py", "make_models.py"):
            done = subprocess.run([sys.executable, os.path.join(BENCH, name), "--help"], stdout=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 0, name)
            self.assertIn("usage: " + name, done.stdout)


class Growth(unittest.TestCase):
    def test_power(self):
        self.assertAlmostEqual(growth.exponent([1, 2, 4], [3, 6, 12]), 1)
        self.assertAlmostEqual(growth.exponent([1, 4], [1, 2]), 0.5)
        self.assertIsNone(growth.exponent([1], [1]))
        self.assertIsNone(growth.exponent([1, 2], [1, 0]))

    def test_table(self):
        lines = growth.growth_table("threads", [1, 2], [("tokens/s", [100, 180.0])]).splitlines()
        self.assertEqual(lines[2:], ["| 1 | 100 | 1.00 |", "| 2 | 180 | 1.80 |", "| grows with the power | 0.85 |  |"])


class Picture(unittest.TestCase):
    NAMESPACE = "{http://www.w3.org/2000/svg}"

    def draw(self, series):
        return ElementTree.fromstring(plot_load.draw("p99 & more", series))

    def test_has_axes_names_and_every_point(self):
        svg = self.draw([("Attend <1>", "ours", [(10, 20.0), (20, 30.0), (30, 500.0)]), ("Peer", "peer", [(10, 90), (20, 2000)])])
        texts = [text.text for text in svg.iter(self.NAMESPACE + "text")]
        for text in ("p99 & more", "Attend <1>", "Peer", "sentences a second that arrive", "p99 latency, ms", "10", "10000"):
            self.assertIn(text, texts)
        self.assertEqual(len(list(svg.iter(self.NAMESPACE + "circle"))), 3)
        lines = [line.get("points").split() for line in svg.iter(self.NAMESPACE + "polyline")]
        self.assertEqual([len(line) for line in lines], [3, 2])
        self.assertIn("prefers-color-scheme: dark", svg.find(self.NAMESPACE + "style").text)

    def test_a_decade_is_as_high_as_any_other(self):
        svg = self.draw([("a", "ours", [(1, 1.0), (2, 10.0), (4, 100.0)])])
        points = [tuple(map(float, p.split(","))) for p in svg.find(self.NAMESPACE + "polyline").get("points").split()]
        (x1, y1), (x2, y2), (x3, y3) = points
        self.assertAlmostEqual(y1 - y2, y2 - y3, delta=0.2)
        self.assertAlmostEqual(2 * (x2 - x1), x3 - x2, delta=0.2)
        for x, y in points:
            self.assertTrue(0 < x < plot_load.WIDTH and 0 < y < plot_load.HEIGHT)

    def test_reads_what_compare_writes(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "json"), os.path.join(folder, "svg")
            side = {"compute": "int8", "requests": 5, "p99_ms": 30.0}
            point = {"model": "opus", "rate": 5.0, "ours": {"engine": "attend", **side},
                     "peer": {"engine": "ctranslate2 4.8.5", **side}}
            with open(source, "w", encoding="utf-8") as f:
                json.dump({"sweep": [point, {**point, "rate": 9.0}], "models": {"opus": "opus-mt size"}}, f)
            command = [sys.executable, os.path.join(BENCH, "plot_load.py"), "--json", source, "--out", target, "--model"]
            self.assertEqual(subprocess.run(command + ["opus"]).returncode, 0)
            texts = [text.text for text in ElementTree.parse(target).iter(self.NAMESPACE + "text")]
            self.assertIn("CTranslate2 4.8.5, int8", texts)
            failed = subprocess.run(command + ["tiny"], stderr=subprocess.PIPE, text=True)
            self.assertEqual(failed.returncode, 1)
            self.assertIn("no loads of tiny", failed.stderr)


class Compare(unittest.TestCase):
    def test_result_names_the_machine_and_what_was_met(self):
        loader = importlib.machinery.SourceFileLoader("compare", os.path.join(BENCH, "compare"))
        compare = importlib.util.module_from_spec(importlib.util.spec_from_loader("compare", loader))
        loader.exec_module(compare)
        row = row_of([{**entry(1), "engine": "attend", "onednn": "3.9 isa"}], [{**entry(4), "engine": "ctranslate2 1.2"}])
        pairs.measure([row], reps=1, extra=0, noise=0.1)
        summary = pairs.summary(row)
        about = compare.describe_machine([summary], offline=None)
        self.assertEqual((about["onednn"], about["peer"]), ("3.9 isa", "ctranslate2 1.2"))
        self.assertTrue(about["cpu"])
        self.assertEqual([r.title for r in compare.chosen([row], "wh; other")], ["what"])
        self.assertEqual(compare.chosen([row], "other"), [])


if __name__ == "__main__":
    unittest.main()
