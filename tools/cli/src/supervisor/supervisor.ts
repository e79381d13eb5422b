// SPDX-License-Identifier: Apache-2.0
import { isSameSpec } from './app-spec.ts';
import type { AppSpec, AppStatus } from './app-spec.ts';
import { SupervisedApp } from './supervised-app.ts';
import type { Host } from './supervised-app.ts';

/** Keeps the programs of one stack running. Requests are carried out one after the other. */
export class Supervisor {
  private readonly host: Host;
  private readonly apps = new Map<string, SupervisedApp>();

  constructor(host: Host) {
    this.host = host;
  }

  status(): AppStatus[] {
    return [...this.apps.values()].map((app) => app.status());
  }

  /** Makes `specs` what runs. An app that is as it should be is left alone. */
  async apply(specs: readonly AppSpec[]): Promise<void> {
    const wanted = new Set(specs.map((spec) => spec.name));
    await this.stop([...this.apps.keys()].filter((name) => !wanted.has(name)));
    await Promise.all(
      specs.map(async (spec) => {
        const app = this.apps.get(spec.name);
        if (app === undefined) {
          const added = new SupervisedApp(spec, this.host);
          this.apps.set(spec.name, added);
          added.start();
        } else if (!isSameSpec(app.spec, spec) || app.status().state === 'failed') {
          await app.replace(spec);
        } else {
          app.start();
        }
      }),
    );
  }

  /** False if there is no such app. */
  async restart(name: string): Promise<boolean> {
    const app = this.apps.get(name);
    await app?.replace(app.spec);
    return app !== undefined;
  }

  /** Stops these apps in this order and forgets them. */
  async stop(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.apps.get(name)?.stop();
      this.apps.delete(name);
    }
  }

  async stopAll(): Promise<void> {
    await this.stop([...this.apps.keys()].reverse());
  }

  logFiles(): string[] {
    return [...this.apps.values()].map((app) => app.spec.logFile);
  }
}
