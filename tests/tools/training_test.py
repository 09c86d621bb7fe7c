"""The training recipe's text code, without its heavy requirements: our own sentences and the choice of sources."""
import os
import re
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "training", "en-fr"))

import own_pairs  # noqa: E402


class OwnPairs(unittest.TestCase):
    def setUp(self):
        self.pairs = own_pairs.pairs()

    def test_the_demonstration_sentence_is_left_out(self):
        self.assertNotIn("The cat sat on the mat.", [s for s, _ in self.pairs])

    def test_each_source_once_and_in_a_fixed_order(self):
        sources = [s for s, _ in self.pairs]
        self.assertEqual(len(sources), len(set(sources)))
        self.assertEqual(self.pairs, own_pairs.pairs())

    def test_mat_is_tapis(self):
        mats = [t for s, t in self.pairs if re.search(r"\bmat\b", s)]
        self.assertGreater(len(mats), 100)
        for target in mats:
            self.assertIn("tapis", target)

    def test_elision(self):
        self.assertEqual(own_pairs.elide("Le", "oiseau"), "L'oiseau")
        self.assertEqual(own_pairs.elide("Ce", "enfant"), "Cet enfant")
        self.assertEqual(own_pairs.elide("la", "chaise"), "la chaise")
        for _, target in self.pairs:
            self.assertIsNone(re.search(r"\b(le|la|ce) [aeiouéèêâh]", target, re.I), target)


class Sources(unittest.TestCase):
    def test_every_row_is_complete_and_multi30k_is_out(self):
        names = set()
        with open(os.path.join(ROOT, "training", "en-fr", "sources.tsv"), encoding="utf-8") as f:
            for line in f:
                if line.startswith("#") or not line.strip():
                    continue
                name, weight, longest, why = line.rstrip("\n").split("\t")
                self.assertGreater(int(weight), 0)
                self.assertGreater(int(longest), 0)
                self.assertTrue(why)
                names.add(name)
        self.assertNotIn("multi30k", names)
        self.assertIn("tatoeba", names)


if __name__ == "__main__":
    unittest.main()
