// Runs Python beside the page, so that typing never waits. The first message starts it, the others ask; each is
// answered by { answer } or { failure }.
"use strict";

const unpacked = async (text) => {
  const packed = (await fetch("data:application/gzip;base64," + text)).body;
  return new Uint8Array(await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
};

const start = async ({ files, lock, sources, data, entry }) => {
  const [wasm, module, loader, stdlib, offers] = await Promise.all(
    [files.wasm, files.module, files.loader, files.stdlib, data].map(unpacked));
  const script = (bytes) => URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  importScripts(script(module), script(loader));
  // Pyodide asks for two files by address; they are here already, and nothing else may be asked for.
  const held = { wasm: [wasm, "application/wasm"], zip: [stdlib, "application/zip"] };
  self.fetch = async (address) => {
    const [bytes, type] = held[String(address).split(".").pop()];
    return new Response(bytes, { headers: { "Content-Type": type } });
  };
  const python = await loadPyodide({ indexURL: "https://page.invalid/", lockFileContents: lock, packages: [] });
  for (const [path, text] of Object.entries(sources)) {
    python.FS.mkdirTree(path.split("/").slice(0, -1).join("/"));
    python.FS.writeFile(path, text);
  }
  const answers = python.pyimport(entry);
  return answers.answering(new TextDecoder().decode(offers));
};

let answering;
self.onmessage = async ({ data }) => {
  try {
    answering ??= start(data);
    const answer = await answering;
    self.postMessage({ answer: data.asked ? JSON.parse(answer(data.asked)) : null });
  } catch (failure) {
    self.postMessage({ failure: String(failure) });
  }
};
