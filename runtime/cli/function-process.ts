// The process of one function. It loads no more of the `warren` command than it needs, because there may be many.
import { runFunctionProcess } from '../hosts/isolation/child.ts';

runFunctionProcess();
