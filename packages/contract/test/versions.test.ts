import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareVersions, lineOf, meantBy } from '../src/index.ts';

// Precedence after semver.org 2.0.0, 11.

describe('versions', () => {
  it('come in the order that semantic versions say', () => {
    const sorted = [
      '0.9.0',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.1',
      '1.2.0',
      '1.10.0',
      '2.0.0',
    ];
    for (const [at, one] of sorted.entries()) {
      for (const [other, two] of sorted.entries())
        expect(Math.sign(compareVersions(one, two)), `${one} ${two}`).toBe(Math.sign(at - other));
    }
  });

  it('promise each other nothing before 1.0.0, but within a minor', () => {
    expect(['0.1.2', '0.2.0', '1.2.3', '1.9.0-rc.1', '12.0.0'].map(lineOf)).toEqual(['0.1', '0.2', '1', '1', '12']);
  });
});

describe('what a name means', () => {
  const versions = ['1.10.0', '2.1.0', '1.2.0', '3.0.0-rc.1', '2.0.0'];
  it.each([
    [null, '2.1.0'],
    ['1', '1.10.0'],
    ['1.2', '1.2.0'],
    ['1.1', null],
    ['2.0.0', '2.0.0'],
    ['3', null],
    ['3.0.0', null],
    ['3.0.0-rc.1', '3.0.0-rc.1'],
    ['', null],
    ['1.', null],
    ['0', null],
  ])('%s', (asked, meant) => {
    expect(meantBy(asked, versions)).toBe(meant);
  });

  it('is what is no release yet where there is nothing else', () => {
    expect(meantBy(null, ['1.0.0-rc.1', '1.0.0-rc.2'])).toBe('1.0.0-rc.2');
    expect(meantBy('1', ['1.0.0-rc.1'])).toBeNull();
    expect(meantBy(null, [])).toBeNull();
  });

  it('is never older than a release that begins as asked, whatever their order', () => {
    const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(12)).map((numbers) => numbers.join('.'));
    fc.assert(
      fc.property(fc.uniqueArray(version, { minLength: 1 }), fc.nat(3), (all, major) => {
        const meant = meantBy(String(major), all);
        const line = all.filter((one) => one.startsWith(`${major}.`));
        if (meant === null) return line.length === 0;
        return line.includes(meant) && line.every((one) => compareVersions(one, meant) <= 0);
      }),
    );
  });
});
