// SPDX-License-Identifier: Apache-2.0
import type { instanceV1 } from '@junctiond/contracts';
import { hasKind, type RpcClient } from '@junctiond/rpc';
import { INSTANCE_LABELS, MANAGED_BY } from '../domain/instance-template.js';

type InstanceService = typeof instanceV1.InstanceServiceService;
type ImageService = typeof instanceV1.ImageServiceService;

/** Bringing up an instance takes milliseconds where its image is there; junctiond may fetch one that was collected. */
const CREATE_DEADLINE_MS = 60_000;
const CHANGE_DEADLINE_MS = 10_000;
const LIST_DEADLINE_MS = 2_000;
/** What junctiond needs beyond the grace period. */
const DELETE_MARGIN_MS = 15_000;

/** Everything that the provider asks of junctiond. Failures are RpcErrors. */
export class JunctiondClient {
  readonly #instances: RpcClient<InstanceService>;
  readonly #images: RpcClient<ImageService>;

  constructor(instances: RpcClient<InstanceService>, images: RpcClient<ImageService>) {
    this.#instances = instances;
    this.#images = images;
  }

  /** Makes the image ready on the node; answers its digest. */
  async ensureImage(image: string, options: { deadlineMs: number; signal?: AbortSignal }): Promise<string> {
    const { image: found } = await this.#images.ensureImage({ image }, options);
    return found?.digest ?? '';
  }

  /** Answers the started instance. */
  async create(spec: instanceV1.InstanceSpec): Promise<instanceV1.Instance | undefined> {
    const { instance } = await this.#instances.createInstance(
      { spec, leaveStopped: false },
      { deadlineMs: CREATE_DEADLINE_MS },
    );
    return instance;
  }

  /** Stops and forgets an instance; resolves when it is gone, also where it was gone already. */
  async delete(id: string, gracePeriodMs: number): Promise<void> {
    try {
      await this.#instances.deleteInstance(
        { id, force: true, gracePeriodMs },
        { deadlineMs: gracePeriodMs + DELETE_MARGIN_MS },
      );
    } catch (error) {
      if (!hasKind(error) || error.kind !== 'not_found') {
        throw error;
      }
    }
  }

  async updateSecrets(id: string, secrets: Readonly<Record<string, Uint8Array>>): Promise<void> {
    await this.#instances.updateSecrets({ id, secrets }, { deadlineMs: CHANGE_DEADLINE_MS });
  }

  /** The provider's instances with their usage, those of one function or all. */
  async usage(labels: Readonly<Record<string, string>>): Promise<readonly instanceV1.Instance[]> {
    const { instances } = await this.#instances.listInstances(
      { labels: { ...labels, [INSTANCE_LABELS.managedBy]: MANAGED_BY }, usage: true },
      { deadlineMs: LIST_DEADLINE_MS },
    );
    return instances;
  }

  /** Snapshot, then changes, of the provider's instances. */
  watch(signal: AbortSignal): AsyncIterable<instanceV1.InstanceEvent> {
    return this.#instances.watchInstances(
      { labels: { [INSTANCE_LABELS.managedBy]: MANAGED_BY } },
      { deadlineMs: Infinity, signal },
    );
  }

  readLogs(request: instanceV1.ReadLogsRequest, signal: AbortSignal): AsyncIterable<instanceV1.LogLine> {
    return this.#instances.readLogs(request, { deadlineMs: Infinity, signal });
  }

  close(): void {
    this.#instances.close();
    this.#images.close();
  }
}
