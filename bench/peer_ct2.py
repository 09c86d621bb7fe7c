#!/usr/bin/env python3
"""Times CTranslate2 on a folder that `convert` wrote, with the protocol and the JSON fields of engine_bench.

    peer_ct2.py convert --model HF_DIR --out CT2_DIR [--compute-type int8]
    peer_ct2.py offline --model CT2_DIR --workload FILE [--config int8:1:1] [--batch 1,8,32] [--beam 1,4] ...
    peer_ct2.py online  --model CT2_DIR --workload FILE [--config int8:2:1] [--rates max,50%,80%] ...
    peer_ct2.py probe   --model CT2_DIR --workload FILE [--config int8:1:1]

A config is compute type : workers : threads of each. Lengths are forced: end-of-sentence is forbidden, greedy sentences
stop at their own length by the step callback; with beams, which have no callback, only sentences of equal length share a
batch. online is the best simple server on this engine: each worker takes all that wait, up to --max-batch, at once.
"""
import argparse
import collections
import json
import os
import queue
import threading
import time

import ctranslate2

from lib import figures, machine, workloads

EOS = "t0"


class Engine:
    def __init__(self, args, rows):
        self.compute, workers, threads = args.config.split(":")
        self.workers, self.threads = int(workers), int(threads)
        self.base_mb, self.meter, start = machine.resident_mb(), machine.ForeignCpuMeter(), time.perf_counter()
        self.translator = ctranslate2.Translator(args.model, device="cpu", compute_type=self.compute,
                                                 inter_threads=self.workers, intra_threads=self.threads)
        self.load_seconds = time.perf_counter() - start
        self.sources = [[f"t{i}" for i in row["src"]] + [EOS] for row in rows]
        self.targets = [row["n"] for row in rows]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        del self.translator  # its threads must have ended before Python's own end does not wait for them any more

    def run(self, indices, beam, on_ended=None):
        """The answers to these sentences as one batch; on_ended(place in the batch) as soon as each is complete."""
        targets = [self.targets[i] for i in indices]
        options = {}
        if beam == 1 and (on_ended or min(targets) != max(targets)):
            def step(result):
                is_last = result.step + 1 >= targets[result.batch_id]
                if is_last and on_ended:
                    on_ended(result.batch_id)
                return is_last
            options["callback"] = step
        results = self.translator.translate_batch(
            [self.sources[i] for i in indices], beam_size=beam, max_batch_size=0, max_input_length=0,
            min_decoding_length=max(targets), max_decoding_length=max(targets), **options)
        answers = [result.hypotheses[0] for result in results]
        for answer, target in zip(answers, targets):
            if len(answer) != target:
                raise SystemExit(f"an answer has {len(answer)} tokens instead of {target}")
        return answers

    def heading(self, args, op):
        return {"engine": "ctranslate2 " + ctranslate2.__version__, "op": op,
                "model": os.path.basename(os.path.abspath(args.model)), "compute": self.compute, "inter": self.workers,
                "intra": self.threads}


def emit(record, args):
    record["cpu"], record["load_average"] = machine.cpu_name(), round(machine.load_average(), 2)
    print(json.dumps(record), flush=True)
    if args.json:
        with open(args.json, "a", encoding="utf-8") as f:
            f.write(json.dumps(record) + "\n")


def run_batches(engine, batches, beam):
    """(seconds of each batch, {index: answer}); the workers share the list."""
    waiting, latencies, answers = queue.SimpleQueue(), [], {}
    for batch in batches:
        waiting.put(batch)

    def work():
        while True:
            try:
                batch = waiting.get_nowait()
            except queue.Empty:
                return
            start = time.perf_counter()
            answers.update(zip(batch, engine.run(batch, beam)))
            latencies.append(time.perf_counter() - start)

    if engine.workers == 1:
        work()
    else:
        run_threads([work] * engine.workers)
    return latencies, answers


def run_threads(bodies):
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def offline(args, rows, engine):
    combinations = [(beam, batch) for beam in args.beam for batch in args.batch]
    runs, answers = {combination: [] for combination in combinations}, None
    orders = {(beam, batch): "arrival" if batch == 1 else "same" if beam > 1 else args.order
              for beam, batch in combinations}
    for beam, batch in combinations:  # buffers of each shape are made the first time
        engine.run(workloads.batches(rows, batch, orders[beam, batch])[0], beam)
    for _ in range(args.reps + args.extra_reps):
        for beam, batch in combinations:
            done = runs[beam, batch]
            if sum(run["foreign"] <= args.noise for run in done) >= args.reps:
                continue
            meter = machine.ForeignCpuMeter()
            latencies, found = run_batches(engine, workloads.batches(rows, batch, orders[beam, batch]), beam)
            wall, foreign = meter.stop()
            done.append({"wall": wall, "foreign": foreign, "latencies": latencies})
            answers = answers or found
    source_tokens = sum(len(source) for source in engine.sources)
    target_tokens = sum(engine.targets)
    for beam, batch in combinations:
        calmest = sorted(runs[beam, batch], key=lambda run: run["foreign"])[:args.reps]
        walls = [run["wall"] for run in calmest]
        latencies = [latency for run in calmest for latency in run["latencies"]]
        wall = figures.median(walls)
        emit({**engine.heading(args, "offline"), "beam": beam, "batch": batch, "order": orders[beam, batch],
              "sentences": len(rows), "tgt_tokens": target_tokens, "wall_s": round(wall, 4),
              "walls": [round(w, 4) for w in walls], "sent_s": round(len(rows) / wall, 2),
              "tok_s": round(target_tokens / wall, 1), "srctgt_tok_s": round((source_tokens + target_tokens) / wall, 1),
              "lat_p50_ms": round(figures.percentile(latencies, 50) * 1e3, 3),
              "lat_p95_ms": round(figures.percentile(latencies, 95) * 1e3, 3),
              "foreign": [round(run["foreign"], 2) for run in calmest], "load_s": round(engine.load_seconds, 4)}, args)
    if args.answers:
        with open(args.answers, "w", encoding="utf-8") as f:
            for i in range(len(rows)):
                f.write(json.dumps([int(token[1:]) for token in answers[i]]) + "\n")


class Server:
    """Takes sentences by their number and answers them; a batch, once begun, cannot be joined."""

    def __init__(self, engine, max_batch):
        self.engine, self.max_batch = engine, max_batch
        self.changed, self.waiting, self.closed = threading.Condition(), collections.deque(), False
        self.sentence_ended, self.batch_ended, self.batch_sizes = {}, {}, []

    def work(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.waiting or self.closed)
                if not self.waiting:
                    return
                taken = [self.waiting.popleft() for _ in range(min(self.max_batch, len(self.waiting)))]
            indices = [number % len(self.engine.sources) for number in taken]

            def on_ended(place, taken=taken):
                self.sentence_ended[taken[place]] = time.perf_counter()

            self.engine.run(indices, 1, on_ended)
            now = time.perf_counter()
            self.batch_ended.update((number, now) for number in taken)
            self.batch_sizes.append(len(taken))

    def submit(self, numbers):
        with self.changed:
            self.waiting.extend(numbers)
            self.changed.notify(len(numbers))

    def close(self, drop):
        with self.changed:
            self.closed = True
            if drop:
                self.waiting.clear()
            self.changed.notify_all()


def feed_arrivals(server, arrivals, start, planned):
    for number, at in enumerate(arrivals):
        planned[number] = start + at
        delay = planned[number] - time.perf_counter()
        if delay > 0:
            time.sleep(delay)
        server.submit([number])
    server.close(drop=False)


def feed_saturated(server, seconds, start, planned):
    """There is always twice as much waiting as the workers can take."""
    full = 2 * server.max_batch * server.engine.workers
    while time.perf_counter() - start < seconds:
        missing = range(len(planned), len(planned) + full - len(server.waiting))
        planned.update((number, time.perf_counter()) for number in missing)
        server.submit(missing)
        time.sleep(0.002)
    server.close(drop=True)


def run_server(engine, args, rate):
    server, planned, start = Server(engine, args.max_batch), {}, time.perf_counter()
    if rate is None:
        feed = lambda: feed_saturated(server, args.seconds, start, planned)
    else:
        arrivals = figures.poisson_arrivals(rate, args.seconds, args.seed)
        feed = lambda: feed_arrivals(server, arrivals, start, planned)
    run_threads([server.work] * engine.workers + [feed])
    wall = time.perf_counter() - start
    record = {"wall_s": round(wall, 3), "requests": len(server.batch_ended),
              "req_s": round(len(server.batch_ended) / wall, 2),
              "tok_s": round(sum(engine.targets[n % len(engine.targets)] for n in server.batch_ended) / wall, 1),
              "mean_batch": round(sum(server.batch_sizes) / len(server.batch_sizes), 2)}
    for prefix, ended in (("", server.batch_ended), ("early_", server.sentence_ended)):
        latencies = [ended[number] - planned[number] for number in ended]
        for name, p in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99), ("max_ms", 100)):
            record[prefix + name] = round(figures.percentile(latencies, p) * 1e3, 3)
    return record


def online(args, rows, engine):
    most = args.max_rate
    for batch in workloads.batches(rows, args.max_batch, "arrival")[:2]:
        engine.run(batch, 1)
    for name in args.rates:
        if name.endswith("%") and not most:
            raise SystemExit(f"{name} needs max before it, or --max-rate")
        rate = None if name == "max" else most * float(name[:-1]) / 100 if name.endswith("%") else float(name)
        meter = machine.ForeignCpuMeter()
        record = run_server(engine, args, rate)
        if name == "max":
            most = most or record["req_s"]
        emit({**engine.heading(args, "online"), "max_batch": args.max_batch, "rate": name,
              "rate_s": rate and round(rate, 3), **record, "foreign": round(meter.stop()[1], 2)}, args)


def probe(args, rows, engine):
    """Load, first answer and memory; in a process of its own, because of the peak."""
    loaded, start = machine.resident_mb(), time.perf_counter()
    engine.run([0], 1)
    first, after_one = time.perf_counter() - start, machine.resident_mb()
    foreign = engine.meter.stop()[1]
    for batch in workloads.batches(rows, 32, "sorted"):
        engine.run(batch, 1)
    emit({**engine.heading(args, "probe"), "load_s": round(engine.load_seconds, 4), "first_sentence_s": round(first, 4),
          "foreign": round(foreign, 2), "base_mb": round(engine.base_mb, 1), "rss_loaded_mb": round(loaded, 1),
          "rss_batch1_mb": round(after_one, 1), "rss_batch32_mb": round(machine.resident_mb(), 1),
          "peak_rss_mb": round(machine.peak_resident_mb(), 1)}, args)


def convert(args):
    from lib import ct2_model
    ct2_model.convert(args.model, args.out, args.compute_type)


def main():
    numbers = lambda text: [int(number) for number in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("op", choices=["convert", "offline", "online", "probe"])
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", help="of convert")
    parser.add_argument("--compute-type", default="int8", help="of convert: how weights are stored")
    parser.add_argument("--workload")
    parser.add_argument("--config", default="int8:1:1")
    parser.add_argument("--batch", type=numbers, default=[1, 8, 32])
    parser.add_argument("--beam", type=numbers, default=[1])
    parser.add_argument("--order", default="sorted", choices=["sorted", "arrival", "same"])
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--extra-reps", type=int, default=2, help="further runs in place of disturbed ones")
    parser.add_argument("--noise", type=float, default=0.15, help="foreign cores from which on a run is disturbed")
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--answers", help="file for the ids of all answers, of the first beam and batch")
    parser.add_argument("--rates", type=lambda text: text.split(","), default=["max", "50%", "80%"])
    parser.add_argument("--max-rate", type=float, default=0, help="what shares are of, instead of a max run")
    parser.add_argument("--max-batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json")
    args = parser.parse_args()
    if args.op == "convert":
        convert(args)
    else:
        rows = workloads.read(args.workload, args.limit)
        with Engine(args, rows) as engine:
            {"offline": offline, "online": online, "probe": probe}[args.op](args, rows, engine)


if __name__ == "__main__":
    main()
