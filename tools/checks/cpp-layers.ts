// SPDX-License-Identifier: Apache-2.0
// The order of the C++ layers (docs/ARCHITECTURE.md): a file of a layer includes files of its own layer and of those
// named here, nothing else of ours.

const layers: Record<string, string[]> = {
  base: [],
  nic: ['base'],
  net: ['base', 'nic'],
  uthread: ['base', 'nic'],
  kernel: ['base', 'nic', 'net', 'uthread'],
  loader: ['base', 'nic', 'net', 'uthread', 'kernel'],
  run: ['base', 'nic', 'net', 'uthread', 'kernel', 'loader'],
  link: ['base', 'nic', 'net'],
  scheduler: ['base', 'nic'],
  ingress: ['base', 'nic', 'net', 'link'],
  addon: ['base', 'nic', 'net', 'link', 'scheduler', 'ingress'],
  bench: ['base', 'nic', 'net', 'link'],
};

/** What one file includes that it must not, one sentence each. `file` is relative to native/src. */
export function layerFaults(file: string, text: string): string[] {
  const layer = file.split('/')[0] ?? '';
  const below = layers[layer];
  if (below === undefined) return [`${file}: ${layer} is no layer; name it in tools/checks/cpp-layers.ts`];
  const faults: string[] = [];
  text.split('\n').forEach((line, index) => {
    const at = `${file}:${index + 1}`;
    const included = /^\s*#\s*include\s*["<]([^">]+)[">]/.exec(line)?.[1];
    if (included === undefined) return;
    if (/^(napi|node_api|js_native_api)(-inl)?\.h$/.test(included) && layer !== 'addon') {
      faults.push(`${at}: only addon includes ${included}`);
    }
    if (included.startsWith('../')) faults.push(`${at}: include "${included}" by its path from native/src`);
    const target = included.split('/')[0] ?? '';
    const isOurs = line.includes('"') && included.includes('/') && target in layers;
    if (isOurs && target !== layer && !below.includes(target)) {
      faults.push(`${at}: ${layer} must not include ${included}`);
    }
  });
  return faults;
}
