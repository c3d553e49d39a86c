"""Reading the sizes of buffers from llama.cpp's log."""

from qwen_tui.engine.worker.buffers import Buffer, logged_buffers

MIB = 1 << 20
LOG = """load_tensors: offloading 18 repeating layers to GPU
load_tensors:   CPU_Mapped model buffer size =  1319.48 MiB
load_tensors: RPC0[127.0.0.1:50052] model buffer size =  1061.00 MiB
llama_context:        CPU  output buffer size =     0.58 MiB
llama_kv_cache:        CPU KV buffer size =   136.00 MiB
sched_reserve:      CUDA0 compute buffer size =   140.75 MiB
sched_reserve: graph nodes  = 1267
"""


def test_every_buffer_that_the_log_names_is_found() -> None:
    assert logged_buffers(LOG) == [
        Buffer("CPU_Mapped", "model", round(1319.48 * MIB)),
        Buffer("RPC0[127.0.0.1:50052]", "model", 1061 * MIB),
        Buffer("CPU", "output", round(0.58 * MIB)),
        Buffer("CPU", "KV", 136 * MIB),
        Buffer("CUDA0", "compute", round(140.75 * MIB)),
    ]


def test_a_name_does_not_reach_over_the_end_of_a_line() -> None:
    assert logged_buffers("CUDA0\ncompute buffer size = 1.00 MiB\n") == []
