// SPDX-License-Identifier: Apache-2.0

/** How a file gets into an image: a program that is compiled here, or a file that is taken as it is. */
export type Source =
  /** A Go package of this module, compiled to a static binary. */
  | { readonly kind: 'go'; readonly folder: string }
  /** All .cc files of a folder, compiled to one dynamic binary. */
  | { readonly kind: 'cpp'; readonly folder: string; readonly libraries: readonly string[] }
  /** A file, named from this project's folder. */
  | { readonly kind: 'file'; readonly path: string };

export interface ImageFile {
  /** Where the file stands in the image: without a leading slash. */
  readonly path: string;
  readonly source: Source;
  /** Permission bits. */
  readonly mode: number;
}

/** Everything that makes an image. Two builds of one recipe from the same sources are byte-identical. */
export interface Recipe {
  /** Also the name of the folder below dist/. */
  readonly name: string;
  /** Debian packages whose files make the lower layer; none means an image from scratch. */
  readonly packages: readonly string[];
  readonly files: readonly ImageFile[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
