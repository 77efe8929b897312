"""Spec, plan, runner, metrics, store, statistics and command line of asasr-bench."""

if __name__ == "bench":
    raise ImportError("import this package as 'asasr_bench.bench', not as plain 'bench' from the repository root")
