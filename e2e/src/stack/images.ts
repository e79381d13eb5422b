// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { projectRoot } from './test-stack.js';

/** Where `functions/build-images` puts its images. */
export const imagesFolder = join(projectRoot, 'functions/dist');

/** The reference of an image that was built here. */
export function builtImage(name: string): string {
  return `oci:${imagesFolder}/${name}:latest`;
}
