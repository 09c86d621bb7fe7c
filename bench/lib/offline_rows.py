"""The rows of the table that need no server: speed, memory, load."""
import json
import os
import tempfile

from lib import programs
from lib.environment import flags
from lib.pairs import Row

NAMES = {"opus": "opus-mt size", "tiny": "256/6+2, vocabulary 8 k", "toy": "toy"}


class Offline:
    """limit: sentences of each run; 0: all. simd: no better instructions than these, on both sides."""

    def __init__(self, environment, limit, int8_type, simd=None):
        self.environment, self.limit = environment, limit
        self.engine_bench = environment.program("engine_bench")
        # Until the engine has the choice, its only type is measured, and the table says which.
        self.has_types = programs.knows_flag(self.engine_bench, "--compute-type")
        self.int8_type = int8_type
        self.simd = simd
        if simd:
            programs.limit_instructions(simd)

    def ours(self, model, op=None, compute="int8", **options):
        command = [self.engine_bench] + ([op] if op else [])
        command += flags({"model": self.environment.model(model), "workload": self.environment.workload(model),
                          "limit": self.limit, **options})
        if self.has_types:
            command += ["--compute-type", self.int8_type if compute == "int8" else compute]
        return command + (["--simd", self.simd] if self.simd else [])

    def peer(self, model, op="offline", compute="int8", workers=1, threads=1, stored=None, **options):
        """stored: the type of its file, where that is not the one it computes in."""
        defaults = {"workload": self.environment.workload(model), "limit": self.limit}
        return self.environment.peer(op, self.environment.peer_model(model, stored or compute),
                                     config=f"{compute}:{workers}:{threads}", **{**defaults, **options})

    def speed(self, title, model, value, beam, batch, target, stretch=None, compute="int8", cores=1):
        """cores: ways to use two of them are tried on both sides, as workers and as threads."""
        # With few batches, how the last ones fill the workers would be what is measured.
        once = {"beam": beam, "batch": batch, "reps": 1, "extra_reps": 0, "limit": self.limit * (4 if batch > 8 else 1)}
        shapes = [(1, 1)] if cores == 1 else [(cores, 1), (1, cores)]
        # Commands are made when they are run: what no chosen row needs is not made either.
        ours = [lambda i=inter, t=intra: programs.record(self.ours(model, compute=compute, inter=i, threads=t, **once))
                for inter, intra in shapes]
        peer = [lambda w=inter, t=intra: programs.record(self.peer(model, compute=compute, workers=w, threads=t, **once))
                for inter, intra in shapes]
        is_latency = value.startswith("lat")
        return Row(title, ours, peer, lambda entry: entry[value], "ms" if is_latency else "tokens/s", is_latency, target,
                   stretch)

    def probe(self, title, model, value, unit, target, stored=None):
        return Row(title, [lambda: programs.record(self.ours(model, "probe"))],
                   [lambda: programs.record(self.peer(model, "probe", stored=stored))], value, unit, True, target)

    def rows(self, cores):
        def load(entry):
            return entry["load_s"] + entry["first_sentence_s"]

        # The peer's Python is no part of it. Ours is counted whole.
        def less_python(name):
            return lambda entry: entry[name] - (entry["base_mb"] if entry["engine"] != "attend" else 0)

        opus, tiny = NAMES["opus"], NAMES["tiny"]
        resident, peak = less_python("rss_batch32_mb"), less_python("peak_rss_mb")
        from_float32 = "the peer's file in float32"  # quantised at load: what the targets of memory were set against
        return [
            self.speed(f"{opus}, greedy, batch 1, p50, 1 thread", "opus", "lat_p50_ms", 1, 1, 0.45, 0.3),
            self.speed(f"{tiny}, greedy, batch 1, p50, 1 thread", "tiny", "lat_p50_ms", 1, 1, 0.5, 0.3),
            self.speed(f"{opus}, greedy, batch 32, {cores} cores", "opus", "tok_s", 1, 32, 1.5, 2.4, cores=cores),
            self.speed(f"{tiny}, greedy, batch 32, 1 thread", "tiny", "tok_s", 1, 32, 1.4, 2.2),
            self.speed(f"{opus}, beam 4, batch 1, p50, 1 thread", "opus", "lat_p50_ms", 4, 1, 0.5),
            self.speed(f"{opus}, beam 4, batch 8, 1 thread", "opus", "tok_s", 4, 8, 1.5),
            self.speed(f"{opus}, fp32, greedy, batch 1, 1 thread", "opus", "tok_s", 1, 1, 1.3, 1.7, "float32"),
            self.speed(f"{opus}, fp32, greedy, batch 32, 1 thread", "opus", "tok_s", 1, 32, 1.6, 2.6, "float32"),
            self.probe(f"{opus}, resident after batches of 32", "opus", resident, "MB", 0.65),
            self.probe(f"{opus}, resident after batches of 32, {from_float32}", "opus", resident, "MB", 0.65, "float32"),
            self.probe(f"{opus}, peak", "opus", peak, "MB", 0.45),
            self.probe(f"{opus}, peak, {from_float32}", "opus", peak, "MB", 0.45, "float32"),
            self.probe(f"{opus}, load to first answer", "opus", load, "s", 0.3),
        ]

    def equal_answers(self, model):
        """(equal, all): sentences for which both choose the same ids in fp32, greedily."""
        with tempfile.TemporaryDirectory() as folder:
            answers = []
            for name, command in (("ours", self.ours(model, compute="float32", batch=1, reps=1, extra_reps=0)),
                                  ("peer", self.peer(model, compute="float32", batch=1, reps=1, extra_reps=0))):
                path = os.path.join(folder, name)
                programs.records(command + ["--answers", path])
                with open(path, encoding="utf-8") as f:
                    answers.append([json.loads(line) for line in f])
        return sum(ours == peer for ours, peer in zip(*answers)), len(answers[0])
