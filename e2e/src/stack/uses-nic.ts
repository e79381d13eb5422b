// SPDX-License-Identifier: Apache-2.0
import { defineConfig, loadConfig, networkFields } from '@junctiond/config';

/** Whether instances of a test's stack have NICs: by the same variable, and the same default, as in any stack. */
export const usesNic =
  loadConfig(defineConfig({ name: 'e2e', fields: { network: networkFields.network } })).network === 'nic';
