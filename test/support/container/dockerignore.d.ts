declare module '@balena/dockerignore' {
  interface Ignore {
    add(patterns: string): Ignore;
    ignores(path: string): boolean;
  }
  export default function dockerignore(): Ignore;
}
