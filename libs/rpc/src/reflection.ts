// SPDX-License-Identifier: Apache-2.0
// gRPC server reflection (grpc/doc/server-reflection.md) from the descriptors that are generated with the types.
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { descriptorSetBase64 } from '@junctiond/contracts';

/** The tag of `repeated FileDescriptorProto file = 1` in FileDescriptorSet (descriptor.proto). */
const fileTag = (1 << 3) | 2;

/** Lets tools such as grpcurl list and describe the named services. */
export function addReflection(server: Server, serviceNames: readonly string[]): void {
  const files = fileDescriptors(Buffer.from(descriptorSetBase64, 'base64'));
  // Of a package definition the service reads nothing but the file descriptors.
  const definition = { files: { fileDescriptorProtos: files } };
  type Definition = ConstructorParameters<typeof ReflectionService>[0];
  new ReflectionService(definition as unknown as Definition, { services: [...serviceNames] }).addToServer(server);
}

/** The encoded FileDescriptorProtos of an encoded FileDescriptorSet. */
function fileDescriptors(descriptorSet: Uint8Array): Buffer[] {
  const reader = new BinaryReader(descriptorSet);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag !== fileTag) throw new Error(`unexpected tag ${tag} in the generated FileDescriptorSet`);
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
}
