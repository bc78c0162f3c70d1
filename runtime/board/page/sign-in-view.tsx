import { useEffect, useState } from 'preact/hooks';
import type { SignIn } from '../api-types.ts';
import type { SignedOut } from './session.ts';
import { issuerSignOut, startSignIn } from './sign-in.ts';
import { Failed } from './states.tsx';
import { useKept } from './unsent.ts';

/** What a user without a token or without a role sees. */
export function SignInView({ signIn, problem, hasLeft = false, hasExpired = false, stranger }: SignedOut) {
  const [failure, setFailure] = useState(problem);
  const [isLeaving, setLeaving] = useState(false);
  if (!signIn) {
    const problem = new Error('The board needs a token, and names no issuer for one.');
    return <Failed problem={problem} isView />;
  }
  const start = () => {
    setLeaving(true);
    startSignIn(signIn, hasLeft || stranger !== undefined).catch((error: unknown) => {
      setLeaving(false);
      setFailure(error);
    });
  };
  const host = new URL(signIn.authority).host;
  return (
    <main class="sign-in">
      <h1>Warren board</h1>
      {hasLeft && <p role="status">You have signed out.</p>}
      {hasExpired && <Expired />}
      {stranger === undefined ? (
        <p>Sign in at {host} to see the dead letters and queues of this broker.</p>
      ) : (
        <p role="alert">
          {stranger} has no role on this board. An administrator of {host} grants the role viewer or operator.
        </p>
      )}
      {failure !== undefined && <Failed problem={failure} />}
      <button type="button" class="primary" disabled={isLeaving} onClick={start}>
        {isLeaving
          ? 'Leaving for the issuer…'
          : stranger === undefined
            ? 'Sign in'
            : 'Sign in as another user'}
      </button>
      {hasLeft && <IssuerSignOut signIn={signIn} host={host} />}
    </main>
  );
}

function Expired() {
  const { unsent, jobs } = useKept();
  return (
    <div class="note outdated" role="status">
      <strong>Your session has expired</strong>
      <p>After the sign-in you are back at this place.</p>
      {unsent.map(({ title }) => (
        <p key={title}>Not done yet, and kept until then: {title}.</p>
      ))}
      {jobs.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}

/** The issuer may still know the user after the board has forgotten the token. */
function IssuerSignOut({ signIn, host }: { signIn: SignIn; host: string }) {
  const [address, setAddress] = useState<string>();
  useEffect(() => void issuerSignOut(signIn).then(setAddress), [signIn]);
  return address === undefined ? null : <a href={address}>Sign out at {host} as well</a>;
}
