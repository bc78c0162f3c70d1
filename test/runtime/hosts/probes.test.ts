import { describe, expect, it } from 'vitest';
import { fine, serveProbes } from '../../../runtime/hosts/probes.ts';

describe('probes', () => {
  it('metrics that cannot be read are a 500, and the next request is answered', async () => {
    const metrics = { read: () => Promise.reject(new Error('no numbers')) };
    const probes = await serveProbes({ host: '127.0.0.1', port: 0, metrics, ready: () => fine });
    try {
      const get = (path: string) => fetch(`http://127.0.0.1:${probes.port}${path}`);
      const failed = await get('/metrics');
      expect([failed.status, await failed.text()]).toEqual([500, 'Error: no numbers\n']);
      expect((await get('/readyz')).status).toBe(200);
    } finally {
      probes.close();
    }
  });
});
