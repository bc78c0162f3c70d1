import { Component, type ComponentChildren } from 'preact';
import { Failed } from './states.tsx';

interface Problem {
  problem: unknown;
}

/** Shows an error of its content in place of the content, so that the rest of the page works on. */
export class Guarded extends Component<{ children: ComponentChildren }, Problem> {
  static override getDerivedStateFromError(problem: unknown): Problem {
    return { problem };
  }

  override state: Problem = { problem: undefined };

  override render() {
    const { problem } = this.state;
    if (problem === undefined) return this.props.children;
    return <Failed problem={problem} isView again={() => this.setState({ problem: undefined })} />;
  }
}
