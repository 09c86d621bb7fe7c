"""How summaries are scored: ROUGE, the baselines, the intervals and the table."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(ROOT, "bench")
sys.path.insert(0, BENCH)

from lib import extractive, figures, rouge

DOCUMENT = {
    "id": "a", "k": 1, "oracle": [1], "references": ["The cat sat.", "dogs bark"],
    "sentences": ["Nothing of it.", "The cat sat on the mat.", "The cat sat and the dog sat.", "Quite unlike."],
}


def run(data, outputs, *more):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, rows in (("data", data), ("outputs", outputs)):
            paths.append(os.path.join(folder, name + ".jsonl"))
            with open(paths[-1], "w", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        return subprocess.run([sys.executable, os.path.join(BENCH, "summarization.py"), paths[0], "--outputs",
                               "ours=" + paths[1], "--resamples", "50", *more], capture_output=True, text=True)


class Rouge(unittest.TestCase):
    def test_words_are_lower_case_letters_and_digits(self):
        self.assertEqual(rouge.words("It's GPT-4, 3.5 %!"), ["it", "s", "gpt", "4", "3", "5"])

    def test_f1_by_hand(self):
        # "the" counts twice on our side and once on theirs: 3 of 6 and 3 of 3 words; 2 of 5 and 2 of 2 pairs.
        r1, r2, rl = rouge.score("The cat sat on the mat.", ["the cat sat"])
        self.assertAlmostEqual(r1, 100 * 2 * 3 / 9)
        self.assertAlmostEqual(r2, 100 * 2 * 2 / 7)
        self.assertAlmostEqual(rl, 100 * 2 * 3 / 9)

    def test_longest_common_subsequence(self):
        self.assertEqual(rouge.common_subsequence(list("abcbdab"), list("bdcaba")), 4)
        self.assertEqual(rouge.common_subsequence([], ["a"]), 0)
        self.assertEqual(rouge.common_subsequence(["w"] * 100, ["w"] * 70), 70)

    def test_all_three_figures_are_against_the_same_reference(self):
        # The second reference has the higher ROUGE-1 + ROUGE-2, the first one the higher ROUGE-L.
        r1, r2, rl = rouge.score("a b c d", ["a x b y c z d", "c d a b"])
        self.assertAlmostEqual(r1, 100)
        self.assertAlmostEqual(r2, 100 * 2 / 3)
        self.assertAlmostEqual(rl, 50)

    def test_nothing_scores_nothing(self):
        self.assertEqual(rouge.score("", ["a b"]), (0, 0, 0))
        self.assertEqual(rouge.score("a b", ["..."]), (0, 0, 0))


class Baselines(unittest.TestCase):
    def test_of_equals_the_earlier_one(self):
        self.assertEqual(extractive.best([1, 3, 2, 3], 1), [1])
        self.assertEqual(extractive.best([1, 3, 2, 3], 3), [1, 2, 3])

    def test_lead_takes_the_first(self):
        self.assertEqual(extractive.best(extractive.lead(DOCUMENT["sentences"]), 2), [0, 1])

    def test_cosines_of_known_sentences(self):
        matrix = extractive.cosines(extractive.tfidf(["a b", "b a", "c", ""]))
        self.assertAlmostEqual(matrix[0][1], 1)
        self.assertEqual(matrix[0][2], 0)
        self.assertEqual(matrix[3], [0, 0, 0, 0])

    def test_stationary_ranks_sum_to_one_and_favour_the_hub(self):
        hub = [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
        ranks = extractive.stationary(hub)
        # r0 = .05 + .85 (r1 + r2), r1 = r2 = .05 + .425 r0
        self.assertAlmostEqual(ranks[0], 0.135 / (1 - 0.7225), places=6)
        self.assertAlmostEqual(sum(ranks), 1)

    def test_a_sentence_without_words_does_not_drain_the_ranks(self):
        ranks = extractive.stationary([[0, 1, 0], [1, 0, 0], [0, 0, 0]])
        self.assertAlmostEqual(sum(ranks), 1)
        self.assertLess(ranks[2], ranks[0])

    def test_graphs_prefer_what_others_repeat(self):
        hub = ["red apples", "green pears", "red apples beside green pears", "something else entirely"]
        for method in (extractive.textrank, extractive.lexrank):
            self.assertEqual(extractive.best(method(hub), 1), [2])


class Bootstrap(unittest.TestCase):
    def test_equal_values_have_no_interval(self):
        self.assertEqual(figures.bootstrap_mean([2.0] * 9, 100, 1), (2.0, 2.0))

    def test_the_interval_is_that_of_the_normal_approximation(self):
        values = [i % 10 for i in range(400)]  # deviation 2.87, so 1.96 x 2.87 / 20 = 0.28
        low, high = figures.bootstrap_mean(values, 2000, 3)
        self.assertAlmostEqual(low, 4.5 - 0.28, delta=0.04)
        self.assertAlmostEqual(high, 4.5 + 0.28, delta=0.04)


class Program(unittest.TestCase):
    def test_indices_and_text_score_alike_and_the_table_compares(self):
        by_index = run([DOCUMENT], [{"id": "a", "selected": [1]}])
        by_text = run([DOCUMENT], [{"id": "a", "summary": DOCUMENT["sentences"][1]}])
        self.assertEqual(by_index.returncode, 0, by_index.stderr)
        self.assertEqual(by_index.stdout, by_text.stdout)
        lines = {line.split("|")[1].strip(): line for line in by_index.stdout.splitlines() if line.startswith("|")}
        self.assertIn("66.7 [66.7, 66.7]", lines["ours"])
        self.assertEqual(lines["ours"].split("|")[2:], lines["oracle"].split("|")[2:])
        self.assertIn("| 0.0 [0.0, 0.0]", lines["lead"])
        self.assertIn("| +63.5 [+63.5, +63.5]", lines["ours"])

    def test_a_missing_summary_is_an_error(self):
        found = run([DOCUMENT], [{"id": "b", "selected": [1]}])
        self.assertNotEqual(found.returncode, 0)
        self.assertIn("ours has no summary of a", found.stderr)


if __name__ == "__main__":
    unittest.main()
