"""Train a small MarianMTModel on CPU with a guided alignment head; resumable; writes a plain Hugging Face folder.

The first head of the last decoder layer's cross-attention is supervised with word alignments (Chen et al. 2016,
"Guided alignment training"; Garg et al. 2019), so that the weights it shows are those a reader expects: cat -> chat.

Schedule: warm-up, then constant, then a linear cool-down ("WSD", Hu et al. 2024), all counted in target pieces and
never in time, so that a starved machine changes how long training takes and not what comes out. `--cooldown N` on a
resumed run starts the cool-down of N pieces from where the checkpoint stands.

Optimiser: Muon (Jordan 2024: momentum orthogonalised by a Newton-Schulz iteration) for the matrices of the layers,
AdamW for embeddings, biases and norms.

Checkpoints (weights, optimiser state, average, position in the data, random state) are written to OUT/checkpoint.pt
by rename, every --checkpoint-minutes and on SIGTERM or SIGINT; the same command continues from there.
"""
import argparse
import json
import math
import os
import random
import shutil
import signal
import time

import numpy as np
import torch
import torch.nn.functional as F
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

from prepare import TOKENIZER_FILES, read_lines



def load_pairs(path):
    """(source ids, target ids, links [n, 2], weight) of each pair."""
    z = np.load(path)
    cut = lambda name: np.split(z[name], z[name + "_off"][1:-1])
    return cut("src"), cut("tgt"), [x.reshape(-1, 2) for x in cut("al")], z["weight"]


def make_batches(src, tgt, weight, budget, seed):
    """Batches of similar length whose padded size stays under the budget; a pure function of the seed."""
    rng = random.Random(seed)
    order = [i for i in range(len(src)) for _ in range(int(weight[i]))]
    rng.shuffle(order)
    out = []
    for k in range(0, len(order), 20000):
        current, widest = [], 0
        for i in sorted(order[k:k + 20000], key=lambda i: (len(tgt[i]), len(src[i]))):
            w = max(len(src[i]), len(tgt[i])) + 1
            if current and max(widest, w) * (len(current) + 1) > budget:
                out.append(current)
                current, widest = [], 0
            current.append(i)
            widest = max(widest, w)
        if current:
            out.append(current)
    rng.shuffle(out)
    return out


def collate(ids, src, tgt, links, pad, eos):
    """Padded source, decoder input, labels, and the wanted attention rows [batch, target, source]."""
    width_s, width_t = max(len(src[i]) for i in ids) + 1, max(len(tgt[i]) for i in ids) + 1
    x = np.full((len(ids), width_s), pad, np.int64)
    y = np.full((len(ids), width_t), pad, np.int64)
    guide = np.zeros((len(ids), width_t, width_s), np.float32)
    for r, i in enumerate(ids):
        n, m = len(src[i]), len(tgt[i])
        x[r, :n], x[r, n] = src[i], eos
        y[r, :m], y[r, m] = tgt[i], eos
        if len(links[i]):
            guide[r, links[i][:, 1], links[i][:, 0]] = 1.0
        guide[r, m, n] = 1.0
    guide /= np.maximum(guide.sum(-1, keepdims=True), 1)
    decoder_input = np.full_like(y, pad)
    decoder_input[:, 1:] = y[:, :-1]
    return tuple(torch.from_numpy(a) for a in (x, decoder_input, y, guide))


class Muon(torch.optim.Optimizer):
    """Momentum whose update is replaced by its nearest semi-orthogonal matrix, scaled to AdamW's usual size."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @staticmethod
    def orthogonalise(g):
        a, b, c = 3.4445, -4.7750, 2.0315      # the quintic of Jordan 2024: fast, not exact
        x = g / (g.norm(dim=(1, 2), keepdim=True) + 1e-7)
        for _ in range(5):
            s = x @ x.transpose(1, 2)
            x = a * x + (b * s + c * s @ s) @ x
        return x

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                m.mul_(group["momentum"]).add_(p.grad)
                g = p.grad.add(m, alpha=group["momentum"])
                by_shape.setdefault(tuple(sorted(p.shape)), []).append((p, g if p.shape[0] <= p.shape[1] else g.T))
            for shape, items in by_shape.items():
                update = self.orthogonalise(torch.stack([g for _, g in items]))
                scale = 0.2 * math.sqrt(max(shape))
                for (p, _), u in zip(items, update):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(u if p.shape[0] <= p.shape[1] else u.T, alpha=-group["lr"] * scale)


def translate(model, tok, texts, beams=1, max_new_tokens=100):
    was_training = model.training
    model.eval()
    out = [None] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    with torch.no_grad():
        for k in range(0, len(order), 64):
            ids = order[k:k + 64]
            batch = tok([texts[i] for i in ids], return_tensors="pt", padding=True)
            got = model.generate(**batch, num_beams=beams, max_new_tokens=max_new_tokens)
            for i, h in zip(ids, tok.batch_decode(got, skip_special_tokens=True)):
                out[i] = h
    model.train(was_training)
    return out


def build_model(a, tok):
    pad, eos = tok.pad_token_id, tok.eos_token_id
    model = MarianMTModel(MarianConfig(
        vocab_size=len(tok.get_vocab()), d_model=a.d_model, encoder_layers=a.enc, decoder_layers=a.dec,
        encoder_ffn_dim=a.ffn, decoder_ffn_dim=a.ffn, encoder_attention_heads=a.heads, decoder_attention_heads=a.heads,
        max_position_embeddings=512, activation_function="relu", dropout=a.dropout, attention_dropout=0.0,
        activation_dropout=0.0, scale_embedding=True, pad_token_id=pad, eos_token_id=eos, forced_eos_token_id=eos,
        decoder_start_token_id=pad, attn_implementation="eager", init_std=a.d_model ** -0.5 / 2,
        max_length=512, num_beams=1, bad_words_ids=[[pad]]))
    for module in model.modules():
        if isinstance(module, torch.nn.Linear) and module is not model.lm_head:
            torch.nn.init.xavier_uniform_(module.weight)
    return model


class Trainer:
    def __init__(self, a):
        self.a = a
        torch.manual_seed(a.seed)
        self.src, self.tgt, self.links, self.weight = load_pairs(f"{a.data}/train.npz")
        self.tok = MarianTokenizer.from_pretrained(a.data)
        self.model = build_model(a, self.tok)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and ".layers." in n]
        chosen = {id(p) for p in matrices}
        rest = [p for p in self.model.parameters() if p.requires_grad and id(p) not in chosen]
        self.muon = Muon(matrices, lr=a.lr)
        self.adam = torch.optim.AdamW(rest, lr=a.lr, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items() if v.dtype.is_floating_point}
        self.state = dict(step=0, pieces=0, epoch=0, batch=0, cooldown_from=None, cooldown=None, seconds=0.0)
        self.checkpoint_path = f"{a.out}/checkpoint.pt"
        if os.path.exists(self.checkpoint_path):
            self.restore()
        if a.cooldown and self.state["cooldown_from"] is None:
            # The cool-down may read another folder of data: it begins a pass of its own.
            self.state.update(cooldown_from=self.state["pieces"], cooldown=a.cooldown, epoch=self.state["epoch"] + 1, batch=0)
        self.stop = False
        self.log_file = open(f"{a.out}/log.jsonl", "a")

    def log(self, **row):
        row = dict(step=self.state["step"], pieces=self.state["pieces"], **row)
        print(" ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
        self.log_file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.log_file.flush()

    def save_checkpoint(self):
        tmp = self.checkpoint_path + ".tmp"
        torch.save(dict(model=self.model.state_dict(), muon=self.muon.state_dict(), adam=self.adam.state_dict(),
                        average=self.average, state=self.state, rng=torch.get_rng_state()), tmp)
        os.replace(tmp, self.checkpoint_path)

    def restore(self):
        c = torch.load(self.checkpoint_path, weights_only=True)
        self.model.load_state_dict(c["model"])
        self.muon.load_state_dict(c["muon"])
        self.adam.load_state_dict(c["adam"])
        self.average, self.state = c["average"], c["state"]
        torch.set_rng_state(c["rng"])
        print("continues at", self.state, flush=True)

    def learning_rate(self):
        s, a = self.state, self.a
        rate = a.lr * min(1.0, (s["pieces"] + 1) / a.warmup)
        if s["cooldown_from"] is not None:
            rate *= max(0.0, 1 - (s["pieces"] - s["cooldown_from"]) / s["cooldown"])
        return rate

    def finished(self):
        s = self.state
        if s["cooldown_from"] is not None:
            return s["pieces"] >= s["cooldown_from"] + s["cooldown"]
        return self.a.max_pieces_total and s["pieces"] >= self.a.max_pieces_total

    def export(self, where):
        """The averaged weights as a float16 Hugging Face folder."""
        live = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict({**live, **self.average})
        os.makedirs(where, exist_ok=True)
        scores = self.evaluate()
        with torch.random.fork_rng():      # a new model draws weights: the dropout of training must not notice
            half = MarianMTModel(self.model.config)
        half.load_state_dict(self.model.state_dict())
        half.generation_config.update(max_length=512, num_beams=4, bad_words_ids=[[self.tok.pad_token_id]])
        half.half().save_pretrained(where, safe_serialization=True)
        for name in TOKENIZER_FILES:
            shutil.copy(f"{self.a.data}/{name}", where)
        with open(f"{where}/attention_presets.json", "w") as f:
            json.dump({"alignment": {"kind": "cross", "heads": [[self.a.dec - 1, 0]],
                                     "note": "supervised with word alignments in training"}}, f, indent=2)
            f.write("\n")
        self.model.load_state_dict(live)
        self.model.train()
        self.log(**scores)

    def evaluate(self):
        import sacrebleu
        hyp = translate(self.model, self.tok, self.a.dev_source)
        width = max(len(r) for r in self.a.dev_refs)
        streams = [[r[n] if n < len(r) else None for r in self.a.dev_refs] for n in range(width)]
        probe = translate(self.model, self.tok, ["The cat sat on the mat.", "Where is the train station?",
                                                 "I would like a cup of coffee, please."])
        return dict(dev_bleu=sacrebleu.corpus_bleu(hyp, streams).score, probe=" | ".join(probe))

    def train_step(self, ids):
        a, pad = self.a, self.tok.pad_token_id
        x, decoder_input, y, guide = collate(ids, self.src, self.tgt, self.links, pad, self.tok.eos_token_id)
        o = self.model.model(input_ids=x, attention_mask=(x != pad).long(), decoder_input_ids=decoder_input,
                             output_attentions=True, use_cache=False)
        keep = y != pad
        logits = self.model.lm_head(o.last_hidden_state[keep]) + self.model.final_logits_bias[0]
        ce = F.cross_entropy(logits, y[keep], label_smoothing=a.smooth)
        head = o.cross_attentions[-1][:, 0]                   # [batch, target, source]
        align = -(guide * torch.log(head + 1e-6)).sum(-1)[keep].mean()
        (ce + a.guide * align).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in (self.muon, self.adam):
            for group in optimiser.param_groups:
                group["lr"] = self.learning_rate()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.state["step"] += 1
        n = int(keep.sum())
        self.state["pieces"] += n
        return n, ce.item(), align.item()

    def update_average(self, every):
        step = self.state["step"]
        decay = min(0.9975, step / (step + 500)) ** every
        with torch.no_grad():
            for k, v in self.model.state_dict().items():
                if k in self.average:
                    self.average[k].mul_(decay).add_(v, alpha=1 - decay)

    def run(self):
        a, s = self.a, self.state
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: setattr(self, "stop", True))
        self.model.train()
        started, saved, evaluated = time.time(), time.time(), s["pieces"]
        first, total = s["pieces"], [0, 0.0, 0.0]
        while not self.stop and not self.finished():
            batches = make_batches(self.src, self.tgt, self.weight, a.budget, a.seed * 1000 + s["epoch"])
            while s["batch"] < len(batches) and not self.stop and not self.finished():
                n, ce, align = self.train_step(batches[s["batch"]])
                s["batch"] += 1
                total = [total[0] + n, total[1] + ce * n, total[2] + align * n]
                if s["step"] % 10 == 0:
                    self.update_average(10)
                if s["step"] % 50 == 0:
                    self.log(epoch=s["epoch"] + s["batch"] / len(batches), loss=total[1] / total[0], align=total[2] / total[0],
                             lr=self.learning_rate(), pieces_per_s=(s["pieces"] - first) / (time.time() - started))
                    total = [0, 0.0, 0.0]
                if time.time() - saved > a.checkpoint_minutes * 60:
                    saved = time.time()
                    self.save_checkpoint()
                if s["pieces"] - evaluated > a.eval_pieces:
                    evaluated = s["pieces"]
                    self.export(f"{a.out}/model")
            if s["batch"] >= len(batches):
                s["epoch"], s["batch"] = s["epoch"] + 1, 0
        self.save_checkpoint()
        self.export(f"{a.out}/model")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--data", required=True, help="folder that prepare.py wrote")
    p.add_argument("--dev", required=True, help="folder with dev.en.gz and dev.refs.gz")
    p.add_argument("--out", required=True, help="checkpoint, log and model folder")
    p.add_argument("--d-model", type=int, default=256)
    p.add_argument("--ffn", type=int, default=1024)
    p.add_argument("--enc", type=int, default=6)
    p.add_argument("--dec", type=int, default=2)
    p.add_argument("--heads", type=int, default=8)
    p.add_argument("--budget", type=int, default=3500, help="padded target pieces a batch")
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--warmup", type=int, default=400_000, help="target pieces")
    p.add_argument("--max-pieces-total", type=int, default=0, help="stop here (0: when told)")
    p.add_argument("--cooldown", type=int, default=0, help="start a cool-down of so many target pieces now")
    p.add_argument("--guide", type=float, default=0.1, help="weight of the alignment loss")
    p.add_argument("--dropout", type=float, default=0.1)
    p.add_argument("--smooth", type=float, default=0.1)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--checkpoint-minutes", type=float, default=5)
    p.add_argument("--eval-pieces", type=int, default=2_000_000, help="target pieces between evaluations")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    os.makedirs(a.out, exist_ok=True)
    a.dev_source = read_lines(f"{a.dev}/dev.en.gz")[:400]
    a.dev_refs = [r.split("\t") for r in read_lines(f"{a.dev}/dev.refs.gz")[:400]]
    Trainer(a).run()


if __name__ == "__main__":
    main()
