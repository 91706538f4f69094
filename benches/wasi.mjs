// Runs a WebAssembly program in Node's V8: `node wasi.mjs PROGRAM.wasm`.
import { readFile } from "node:fs/promises";
import { argv, env, exit } from "node:process";
import { WASI } from "node:wasi";

const wasi = new WASI({ version: "preview1", args: argv.slice(2), env, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(argv[2]));
const imports = wasi.getImportObject();
// The filter's calls to its proxy are linked in, and never made here.
for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
  imports[from] ??= {};
  if (kind === "function") imports[from][name] ??= () => { throw new Error(`${from}.${name} is not here`); };
}
const { exports } = await WebAssembly.instantiate(module, imports);
// Nor is the filter's own beginning: the program's is `_start`.
exit(wasi.start({ exports: { ...exports, _initialize: undefined } }));
