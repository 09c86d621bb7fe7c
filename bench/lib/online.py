"""The rows that need a server: latency of single sentences that arrive as they like. Ours is the real server over gRPC,
the peer is called in its own process."""
from lib import figures, programs
from lib.environment import flags
from lib.offline_rows import NAMES
from lib.pairs import Row, measure

SHARES = (50, 80)
SWEEP = (10, 25, 50, 65, 80, 90, 100, 120, 150)  # per cent of the peer's highest rate


class Online:
    def __init__(self, environment, offline, model, seconds, workers, server_flags):
        self.environment, self.model, self.seconds, self.offline = environment, model, seconds, offline
        self.workers = workers
        self.server_flags = server_flags
        self.address, self.pid, self.peer_max = None, None, None

    def server(self):
        return programs.server(self.environment.program("attend-server"), self.environment.model(self.model),
                               *self.server_flags)

    def ours(self, *words, **options):
        return programs.record(
            [self.environment.program("serving_bench"), *words] + flags({
                "address": self.address, "server_pid": self.pid, "workload": self.environment.workload(self.model),
                "seconds": self.seconds, **options}))

    def peer(self, rate):
        return programs.record(self.offline.peer(self.model, "online", workers=self.workers, rates=rate,
                                                 seconds=self.seconds, limit=0))

    def measure(self, reps, extra, noise, sweep, say):
        """Rows of the ratio table, rows of ours alone, and the points of the picture."""
        with self.server() as (self.address, self.pid):
            most = Row(f"{NAMES[self.model]}, most sentences a second", [lambda: self.ours(rates="max")],
                       [lambda: self.peer("max")], lambda entry: entry["req_s"], "1/s", False, 1.0)
            measure([most], reps, extra, noise, say)
            self.peer_max = figures.median(most.values(1))
            rows = [most]
            for share in SHARES:
                rows += self.rows_at(share, reps, extra, noise, say)
            alone = [*self.overhead(reps), self.attention(reps)]
            points = [self.point(share) for share in sweep]
        return rows, alone, points

    def rate(self, share):
        return f"{self.peer_max * share / 100:.3f}"

    def rows_at(self, share, reps, extra, noise, say):
        """One set of runs, read three ways: p50, p99, and p99 if the peer gave out each sentence as soon as its callback
        sees its end, which takes a server that is written around it."""
        what = f"{NAMES[self.model]}, online at {share} % of the peer's most"
        runs = Row(f"{what}, p50", [lambda: self.ours(rates=self.rate(share))], [lambda: self.peer(self.rate(share))],
                   lambda entry: entry["p50_ms"], "ms", True, 0.2, 0.08)
        measure([runs], reps, extra, noise, say)
        p99 = Row(f"{what}, p99", [], [], lambda entry: entry["p99_ms"], "ms", True, 0.3, 0.13, runs.pairs)
        early = Row(f"{what}, p99 against the peer's callback", [], [],
                    lambda entry: entry.get("early_p99_ms", entry["p99_ms"]), "ms", True, 0.3, None, runs.pairs)
        return [runs, p99, early]

    def overhead(self, reps):
        """What a call costs beyond the steps of the engine, one at a time; and what of it is ours, and not what the machine
        and gRPC take for any call."""
        runs = [self.ours("overhead") for _ in range(reps)]
        title = f"{NAMES[self.model]}, a call beyond the engine's steps, one at a time"
        return [self.overhead_row(f"{title}, p50", "beyond_engine_ms", runs),
                self.overhead_row(f"{title}, less a health check's round trip at the same pace, p50",
                                  "beyond_health_check_ms", runs)]

    @staticmethod
    def overhead_row(title, name, runs):
        values = [run[name]["p50"] for run in runs]
        return {"title": title, "unit": "ms", "value": figures.median(values), "spread": figures.spread(values),
                "target": 0.3, "met": figures.median(values) <= 0.3, "records": runs}

    def attention(self, reps):
        """Others' p99 at half the load, with one call in twenty asking for attention, over the same without."""
        pairs = []
        for rep in range(reps):
            options = [{}, {"attention_every": 20}]
            found = [self.ours(rates=self.rate(50), **o) for o in (options if rep % 2 == 0 else options[::-1])]
            pairs.append(found if rep % 2 == 0 else found[::-1])
        ratios = [asking["p99_ms"] / plain["p99_ms"] for plain, asking in pairs]
        return {"title": f"{NAMES[self.model]}, others' p99 while 1 call in 20 asks for attention", "unit": "ratio",
                "value": figures.median(ratios), "spread": figures.spread(ratios), "target": 1.0,
                "met": figures.median(ratios) - figures.spread(ratios) <= 1.0, "records": pairs}

    def point(self, share):
        rate = self.rate(share)
        return {"model": self.model, "share": share, "rate": float(rate), "peer": self.peer(rate),
                "ours": self.ours(rates=rate)}
