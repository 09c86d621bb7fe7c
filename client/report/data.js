// The data of the page, and the few things that every part needs. Text of users reaches the page through textContent only.
'use strict';

const byId = (id) => document.getElementById(id);

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const report = JSON.parse(byId('report-data').textContent);

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// 0.0312 → "3.12 %": three digits that count, as many as the stored weights hold.
function percent(weight) {
  const value = weight * 100;
  if (value >= 99.95) return '100 %';
  return (value >= 9.995 ? value.toFixed(1) : value.toFixed(2)) + ' %';
}

// Isolated, so that a word of another direction does not turn what stands around it.
const quoted = (text) => '“\u2068' + text + '\u2069”';

// Weights of one map as floats, NaN where the weight was not kept. 16 bits hold weight * 65534; 8 bits hold the square
// root of it times 254, which keeps small weights apart; the highest code stands for "not kept".
function decodeWeights(map) {
  const binary = atob(map.data);
  const is16 = report.bits === 16;
  const count = is16 ? binary.length >> 1 : binary.length;
  const weights = new Float32Array(count);
  for (let i = 0; i < count; ++i) {
    if (is16) {
      const code = binary.charCodeAt(2 * i) | (binary.charCodeAt(2 * i + 1) << 8);
      weights[i] = code === 65535 ? NaN : code / 65534;
    } else {
      const code = binary.charCodeAt(i);
      weights[i] = code === 255 ? NaN : (code / 254) * (code / 254);
    }
  }
  return weights;
}

// Decoded maps, the few last used ones: a page may hold more than a hundred of a megabyte each.
const decodedMaps = new Map();
function weightsOf(map) {
  let weights = decodedMaps.get(map);
  if (!weights) weights = decodeWeights(map);
  decodedMaps.delete(map);
  decodedMaps.set(map, weights);
  if (decodedMaps.size > 12) decodedMaps.delete(decodedMaps.keys().next().value);
  return weights;
}
