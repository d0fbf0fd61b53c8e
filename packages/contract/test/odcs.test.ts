import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Boundary, fromOdcs, type OdcsContract, toOdcs } from '../src/index.ts';
import { product } from '../../policy/test/product.ts';

// Servers of the standard and stores of a contract: each kind there and back.

const bucket = { kind: 's3', region: 'eu-central-1', credential: 'lake' } as const;

function servers(stores: Boundary['stores']): readonly Readonly<Record<string, unknown>>[] {
  return (parse(toOdcs(product('', { stores }), 'sha256:0')) as { servers: Record<string, unknown>[] }).servers;
}

describe('a store', () => {
  it('that is a folder is a local server, and each table one of its own', () => {
    const [lake, flights] = servers({ lake: { kind: 'local', root: 'data/', credential: null } });
    expect(lake).toMatchObject({ server: 'development_lake', type: 'local', path: 'data/' });
    expect(flights).toMatchObject({
      server: 'development_flights',
      type: 'local',
      path: 'data/data.parquet',
      format: 'parquet',
    });
  });

  it('that speaks S3 has its place and its server', () => {
    const url = 's3://lake/flights/';
    const [lake, flights] = servers({ lake: { ...bucket, url, endpoint: 'https://objects.example.com' } });
    expect(lake).toMatchObject({ type: 's3', location: url, endpointUrl: 'https://objects.example.com' });
    expect(flights).toMatchObject({ type: 's3', location: `${url}data.parquet` });
    expect(servers({ lake: { ...bucket, url, endpoint: null } })[0]).not.toHaveProperty('endpointUrl');
  });

  it('comes from the first server that is one, with what is before a pattern', () => {
    const odcs = (...all: NonNullable<OdcsContract['servers']>): unknown =>
      (
        parse(
          fromOdcs(
            { apiVersion: 'v3.1.0', kind: 'DataContract', servers: all, schema: [{ name: 'a' }] },
            'a.odcs.yaml',
          ),
        ) as { stores: unknown }
      ).stores;
    const s3 = {
      server: 'b',
      type: 's3',
      location: 's3://b/data/{model}/*.parquet',
      endpointUrl: 'https://o.example.com',
    };
    expect(odcs(s3)).toEqual({ lake: { url: 's3://b/data/', endpoint: 'https://o.example.com' } });
    expect(odcs(s3, { server: 'f', type: 'local', path: 'files' })).toEqual({ lake: { root: 'files' } });
    expect(odcs({ server: 'w', type: 'snowflake' })).toEqual({ lake: { root: '.' } });
  });
});
