// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from '@jest/globals';
import { describeConfig, describeCommon, exampleEnvironment } from './describe.js';
import { port, secret, text } from './fields.js';
import { defineConfig } from './schema.js';
import { providerAddressField } from './shared-fields.js';

const schema = defineConfig({
  name: 'app',
  fields: {
    port: port({ env: 'JUNCTION_APP_PORT', default: ({ ports }) => ports.gatewayMetrics, doc: 'The port.' }),
    address: providerAddressField,
    name: text({ env: 'JUNCTION_APP_NAME', doc: 'The name.' }),
    key: secret({ env: 'JUNCTION_APP_KEY', doc: 'The key.' }),
  },
});

describe('the documents', () => {
  it('show each setting as a row of a table', () => {
    expect(describeConfig(schema).split('\n')).toEqual([
      '## app',
      '',
      '| variable | type | default | range | what it is |',
      '|---|---|---|---|---|',
      '| `JUNCTION_APP_PORT` | port | `8082` | 0 to 65535 | The port. |',
      '| `JUNCTION_PROVIDER_ADDRESS` | address | `unix:/run/junctiond/<stack>/provider.sock` | unix:/path or host:port | Address of the gRPC API of the provider. |',
      '| `JUNCTION_APP_NAME` | text | must be set |  | The name. |',
      '| `JUNCTION_APP_KEY` | secret | must be set |  | The key. |',
      '',
    ]);
  });

  it('show the settings of all apps', () => {
    expect(describeCommon()).toContain('| `JUNCTION_STACK` | text | `junction` |');
  });

  it('are an environment file that changes nothing as it is', () => {
    const lines = exampleEnvironment(schema).split('\n');
    expect(lines).toContain('#JUNCTION_APP_PORT=8082');
    expect(lines.every((line) => line === '' || line.startsWith('#'))).toBe(true);
  });
});
