/** Version of this package, as in its package.json: an import of JSON would print a warning on Node 20. */
export const version = '0.1.0';
