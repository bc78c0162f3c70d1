/** Variables for serverless commands that bundle nothing. serverless-esbuild, which they leave out, takes a second to load. */
export const noBundler = {
  WARREN_BUNDLER: './dev/no-bundler.cjs',
  // What runs on this machine has no parameters of a platform on AWS (deploy/aws), even if its outputs are in the checkout.
  WARREN_PLATFORM: '.data/no-platform',
};
