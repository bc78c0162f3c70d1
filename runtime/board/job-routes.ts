import type { FastifyInstance } from 'fastify';
import { type Edit, EditedHeaderError } from '../dead-letters/edit.ts';
import { Problem } from '../http/problem.ts';
import type { EditedReplayed, Job, JobList } from './api-job-types.ts';
import type { IndexFollower } from './follow.ts';
import type { Jobs } from './jobs.ts';
import { checked, editBody, entryFilter, jobBody, letterParameters } from './query.ts';

export interface JobRouteParts {
  follower: IndexFollower;
  jobs: Jobs;
}

/** Adds the routes of what an operator does with dead letters. */
export function addJobRoutes(app: FastifyInstance, { follower, jobs }: JobRouteParts): void {
  app.get('/api/jobs', async (): Promise<JobList> => ({ jobs: jobs.all }));
  app.get<{ Params: { id: string } }>('/api/jobs/:id', async ({ params }) => known(jobs.get(params.id)));
  app.delete<{ Params: { id: string } }>('/api/jobs/:id', async ({ params }) => known(jobs.stop(params.id)));
  app.post<{ Params: { id: string } }>('/api/jobs/:id/pause', async ({ params }) =>
    known(jobs.pause(params.id)),
  );
  app.post<{ Params: { id: string } }>('/api/jobs/:id/resume', async ({ params }) =>
    known(jobs.resume(params.id)),
  );

  app.post('/api/jobs', async ({ body, user }, reply) => {
    const { action, filter, to } = checked(jobBody, body);
    const { offset: offsets, ...fields } = filter;
    await follower.update();
    const job = jobs.start({ action, filter: entryFilter(fields), offsets, to, user });
    return reply.code(202).header('location', `/api/jobs/${job.id}`).send(job);
  });

  app.post('/api/letters/:offset/replay', async ({ params, body }, reply) => {
    const { offset } = checked(letterParameters, params);
    const { to, body: base64, content_type: contentType, headers } = checked(editBody, body);
    const edit = { to, body: Buffer.from(base64, 'base64'), contentType, headers };
    return reply.code(201).send(await replay(jobs, offset, edit));
  });
}

async function replay(jobs: Jobs, offset: number, edit: Edit): Promise<EditedReplayed> {
  const edited = await jobs.edit(offset, edit).catch((error: unknown) => {
    if (error instanceof EditedHeaderError) throw new Problem(400, 'Bad Request', error.message);
    throw error;
  });
  if (edited === 'gone') throw new Problem(404, 'Not Found', 'offset: the dead letter is gone');
  if (edited === 'no-queue') throw new Problem(409, 'Conflict', 'to: there is no such queue');
  return { message_id: edited.messageId, replaces: edited.replaces };
}

function known(job: Job | undefined): Job {
  if (job) return job;
  throw new Problem(404, 'Not Found', 'no job has this id');
}
