"""The layering check itself: passes on this tree, and fails when an arrow is turned."""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECK = os.path.join(ROOT, "tools", "check_layering.py")


def run(root):
    r = subprocess.run([sys.executable, CHECK, root], capture_output=True, text=True)
    return r.returncode, r.stdout


class CheckLayering(unittest.TestCase):
    def check_one(self, path, include):
        with tempfile.TemporaryDirectory() as d:
            full = os.path.join(d, path)
            os.makedirs(os.path.dirname(full))
            with open(full, "w") as f:
                f.write(f"#pragma once\n#include {include}\n")
            return run(d)

    def test_this_tree_is_clean(self):
        code, out = run(ROOT)
        self.assertEqual(code, 0, out)

    def test_a_turned_arrow_fails(self):
        for path, include in (("engine/ops/x.cc", '"engine/models/model.h"'), ("engine/layers/x.h", '"engine/scheduler/engine_loop.h"'),
                              ("engine/tasks/x.cc", "<grpcpp/grpcpp.h>"), ("engine/engine.cc", "<prometheus/counter.h>"),
                              ("server/x.cc", '"engine/layers/kv_cache.h"'), ("server/services/x.cc", "<prometheus/counter.h>"),
                              ("engine/layers/x.cc", "<oneapi/dnnl/dnnl.hpp>"), ("engine/ops/x.h", "<oneapi/dnnl/dnnl.hpp>"),
                              ("client/x.cc", '"engine/engine.h"'),
                              # Every way of writing the same arrow.
                              ("engine/ops/x.cc", "<engine/models/model.h>"), ("engine/ops/x.cc", '"../models/model.h"'),
                              ("engine/ops/x.cc", '"engine/ops/../models/model.h"'), ("engine/ops/x.cc", '"./../models/model.h"'),
                              ("engine/ops/x.cc", "<../models/model.h>"), ("engine/base/x.cc", '"../engine.h"'),
                              # Every kind of file.
                              ("engine/ops/x.hpp", '"engine/models/model.h"'), ("engine/ops/x.cpp", '"engine/models/model.h"'),
                              ("engine/ops/x.inc", '"engine/models/model.h"'), ("engine/ops/x.hpp", "<hwy/highway.h>"),
                              # The wire has no place in the engine, threads of OpenMP none outside the operations.
                              ("engine/tasks/x.cc", '"attend/v1/translation.pb.h"'), ("engine/engine.cc", "<attend/v1/common.pb.h>"),
                              ("engine/scheduler/x.cc", "<omp.h>"), ("server/x.cc", "<omp.h>"),
                              ("engine/tasks/x.cc", '"engine/engine.h"')):
            code, out = self.check_one(path, include)
            self.assertEqual(code, 1, f"{path} including {include} must be refused")
            self.assertIn(path, out)

    def test_an_own_header_has_one_spelling(self):
        for include in ("<engine/layers/kv_cache.h>", '"../layers/kv_cache.h"', '"x.h"', '"engine/layers/./kv_cache.h"'):
            code, out = self.check_one("engine/models/x.cc", include)
            self.assertEqual(code, 1, f"{include} must be refused")
            self.assertIn("write ", out)

    def test_an_allowed_arrow_passes(self):
        for path, include in (("engine/models/x.cc", '"engine/layers/kv_cache.h"'), ("engine/ops/x.cc", "<omp.h>"),
                              ("engine/ops/x-inl.h", "<hwy/highway.h>"), ("server/x.cc", '"attend/v1/common.pb.h"'),
                              ("client/x.cc", '"attend/v1/common.pb.h"'), ("engine/engine.cc", "<vector>")):
            code, out = self.check_one(path, include)
            self.assertEqual(code, 0, out)


if __name__ == "__main__":
    unittest.main()
