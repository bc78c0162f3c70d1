/** Variables for serverless commands that bundle nothing. serverless-esbuild, which they leave out, takes a second to load. */
export const noBundler = { WARREN_BUNDLER: './dev/no-bundler.cjs' };
