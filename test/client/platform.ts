import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { LiteKernel } from '@objectstack/core';
import { InMemoryDriver } from '@objectstack/driver-memory';
import { ObjectQLPlugin } from '@objectstack/objectql';
import type { ObjectQL } from '@objectstack/objectql';
import { SettingsServicePlugin } from '@objectstack/service-settings';
import type { SettingsService } from '@objectstack/service-settings';
import type { ICryptoProvider } from '../../client/index.ts';

/** The platform as it boots, with its settings and its engine. */
export interface Platform {
  readonly settings: SettingsService;
  readonly engine: ObjectQL;
  /** What the platform has warned of since it was last asked. */
  warnings(): string[];
}

type Row = Record<string, unknown>;

/** What the platform asks of those who read its own tables. */
export const system = { context: { isSystem: true } };

/** The one row of an object that has a field of this value. */
export async function rowOf(engine: ObjectQL, object: string, where: Row): Promise<Row> {
  // The platform gives rows as `any`; they are records of columns.
  const [row] = (await engine.find(object, { where, ...system })) as Row[];
  assert(row);
  return row;
}

/** The real platform on its memory driver, with one namespace of settings and one object that hold secrets. */
export async function bootPlatform(t: TestContext, cryptoProvider: ICryptoProvider): Promise<Platform> {
  const lines = t.mock.method(console, 'warn', () => undefined);
  for (const chatter of ['log', 'info', 'debug'] as const) t.mock.method(console, chatter, () => undefined);
  const kernel = new LiteKernel({ logger: { level: 'silent' } });
  kernel.use(new ObjectQLPlugin());
  kernel.use({
    name: 'memory-driver',
    version: '1.0.0',
    init: (ctx) => {
      ctx.registerService('driver.memory', new InMemoryDriver());
    },
  });
  kernel.use({
    name: 'accounts',
    version: '1.0.0',
    optionalDependencies: ['com.objectstack.engine.objectql'],
    init: (ctx) => {
      const fields = {
        name: { type: 'text', label: 'Name' },
        api_key: { type: 'secret', label: 'Key' },
      };
      const manifest = { id: 'test.accounts', name: 'accounts', version: '1.0.0', type: 'app' };
      ctx
        .getService<{ register(app: object): unknown }>('manifest')
        .register({ ...manifest, objects: [{ name: 'account', label: 'Account', fields }] });
    },
  });
  kernel.use(new SettingsServicePlugin({ cryptoProvider, registerRoutes: false }));
  await kernel.bootstrap();
  t.after(() => kernel.shutdown());
  const settings = kernel.getService<SettingsService>('settings');
  settings.registerManifest({
    namespace: 'mailer',
    label: 'Mailer',
    version: 1,
    scope: 'tenant',
    specifiers: [
      { key: 'token', type: 'password', label: 'Token', encrypted: true },
      { key: 'account', type: 'json', label: 'Account', encrypted: true },
      { key: 'host', type: 'text', label: 'Host' },
    ],
  });
  return {
    settings,
    engine: kernel.getService<ObjectQL>('objectql'),
    warnings: () => {
      const texts = lines.mock.calls.map(({ arguments: args }) => (args as unknown[]).map(String).join(' '));
      lines.mock.resetCalls();
      return texts.filter((text) => text.includes('SettingsService'));
    },
  };
}
