// Writes the generated tables into docs/: `npm run docs`.
import { writeFileSync } from 'node:fs';
import { projectFile } from '../stack/project.ts';
import { generatedPages } from './tables.ts';

for (const [path, text] of await generatedPages()) {
  writeFileSync(projectFile(path), text);
  console.log(path);
}
