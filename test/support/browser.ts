import { type Browser, chromium } from 'playwright-core';
import { findOnPath } from '../../runtime/local/broker-install.ts';

/**
 * Starts the Chromium that is installed here: CHROMIUM_PATH, else the first one on the PATH.
 *
 * @throws Error with the command that installs one.
 */
export async function openBrowser(): Promise<Browser> {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const executablePath =
    process.env['CHROMIUM_PATH'] || names.map(findOnPath).find((path) => path !== undefined);
  if (executablePath === undefined) {
    throw new Error(
      'no Chromium here: `apt-get install chromium`, or set CHROMIUM_PATH to a browser of its kind',
    );
  }
  // Chromium's sandbox refuses to work for root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args });
}
