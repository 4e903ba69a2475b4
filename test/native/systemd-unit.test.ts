import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseUnit } from '../../native/systemd-unit.ts';

describe('the unit in the text of /proc/PID/cgroup', () => {
  const cases: readonly (readonly [name: string, text: string, unit: string | undefined])[] = [
    ['of a service', '0::/system.slice/shop.service\n', 'shop.service'],
    [
      'of an instance in a slice of its own',
      '0::/system.slice/system-shop.slice/shop@1.service\n',
      'shop@1.service',
    ],
    ['of a name with escapes', '0::/system.slice/a\\x2db.service\n', 'a\\x2db.service'],
    ['of a login', '0::/user.slice/user-1000.slice/session-3.scope\n', 'session-3.scope'],
    ['of a service outside any slice', '0::/init.scope\n', 'init.scope'],
    ['of version 1', '12:pids:/x\n1:name=systemd:/system.slice/shop.service\n', 'shop.service'],
    [
      'of both versions side by side',
      '1:name=systemd:/system.slice/shop.service\n0::/system.slice/shop.service\n',
      'shop.service',
    ],
    [
      'of version 1 where the other is not in use',
      '1:name=systemd:/system.slice/shop.service\n0::/\n',
      'shop.service',
    ],
    [
      'none where both versions contradict each other',
      '1:name=systemd:/a.service\n0::/b.service\n',
      undefined,
    ],
    ['none at the root', '0::/\n', undefined],
    ['none in a group that is no unit', '0::/machine/shop.service\n', undefined],
    ['none in slices alone', '0::/system.slice\n', undefined],
    ['none outside what the daemon can see', '0::/../shop.service\n', undefined],
    ['none that was removed', '0::/system.slice/shop.service (deleted)\n', undefined],
    ['none in another controller', '3:cpu:/system.slice/shop.service\n', undefined],
    ['none without a root', '0::system.slice/shop.service\n', undefined],
    ['none in nothing', '', undefined],
  ];
  for (const [name, text, unit] of cases) {
    test(name, () => {
      assert.equal(parseUnit(text), unit);
    });
  }

  test("A12: is the user's own manager for whatever a user starts under it, by any name", () => {
    const text = '0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n';
    assert.equal(parseUnit(text), 'user@1000.service');
  });

  const word = fc.stringMatching(/^[A-Za-z0-9:_.@\\-]{1,20}$/);
  const slices = fc.array(
    word.map((name) => `${name}.slice`),
    { maxLength: 4 },
  );
  const unit = fc.tuple(word, fc.constantFrom('service', 'scope')).map((parts) => parts.join('.'));

  test('is the first part behind the slices, whatever lies further in', () => {
    fc.assert(
      fc.property(
        slices,
        unit,
        fc.array(fc.string().filter((part) => !part.includes('\n'))),
        (above, name, below) => {
          const path = ['', ...above, name, ...below].join('/');
          assert.equal(parseUnit(`5:cpu:/elsewhere.service\n0::${path}\n`), name);
          assert.equal(parseUnit(`1:name=systemd:${path}\n`), name);
        },
      ),
    );
  });

  test('whatever the text: it is a unit of a line for it, or none', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const found = parseUnit(text);
        assert.ok(found === undefined || /\.(service|scope)$/.test(found));
      }),
    );
  });
});
