/** Takes one line of progress: which part it is about, and what is happening. */
export type Report = (part: string, text: string) => void;
