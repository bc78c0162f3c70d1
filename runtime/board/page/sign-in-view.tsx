import { useState } from 'preact/hooks';
import type { SignIn } from '../api-types.ts';
import { startSignIn } from './sign-in.ts';
import { Failed } from './states.tsx';

/** What a user without a token sees. */
export function SignInView({ signIn, problem }: { signIn: SignIn | undefined; problem: unknown }) {
  const [failure, setFailure] = useState(problem);
  const [isLeaving, setLeaving] = useState(false);
  if (!signIn) return <Failed problem={new Error('The board needs a token, and names no issuer for one.')} />;
  const start = () => {
    setLeaving(true);
    startSignIn(signIn).catch((error: unknown) => {
      setLeaving(false);
      setFailure(error);
    });
  };
  return (
    <main class="sign-in">
      <h1>Warren board</h1>
      <p>Sign in at {new URL(signIn.authority).host} to see the dead letters and queues of this broker.</p>
      {failure !== undefined && <Failed problem={failure} />}
      <button type="button" class="primary" disabled={isLeaving} onClick={start}>
        {isLeaving ? 'Leaving for the issuer…' : 'Sign in'}
      </button>
    </main>
  );
}
