import { describe, expect, it } from 'vitest';
import { fine, probesPort, serveProbes } from '../../../runtime/hosts/probes.ts';

const own = { host: '127.0.0.1', ready: () => fine };
const none = { read: async () => ({ text: '', contentType: 'text/plain' }) };

describe('probes', () => {
  it('metrics that cannot be read are a 500, and the next request is answered', async () => {
    const metrics = { read: () => Promise.reject(new Error('no numbers')) };
    const probes = await serveProbes({ ...own, port: 0, metrics });
    try {
      const get = (path: string) => fetch(`http://127.0.0.1:${probes.port}${path}`);
      const failed = await get('/metrics');
      expect([failed.status, await failed.text()]).toEqual([500, 'Error: no numbers\n']);
      expect((await get('/readyz')).status).toBe(200);
    } finally {
      probes.close();
    }
  });

  it('several hosts of one machine that choose no port get ports of their own, from 9464 on', async () => {
    const all = await Promise.all([1, 2, 3].map(() => serveProbes({ ...own, metrics: none })));
    try {
      const ports = all.map(({ port }) => port);
      expect(new Set(ports).size).toBe(3);
      expect(Math.min(...ports)).toBeGreaterThanOrEqual(probesPort);
      for (const port of ports)
        expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status, `${port}`).toBe(200);
    } finally {
      for (const probes of all) probes.close();
    }
  });

  it('a chosen port that is taken is an error', async () => {
    const probes = await serveProbes({ ...own, port: 0, metrics: none });
    try {
      await expect(serveProbes({ ...own, port: probes.port, metrics: none })).rejects.toMatchObject({
        code: 'ERR_PORT_TAKEN',
      });
    } finally {
      probes.close();
    }
  });
});
