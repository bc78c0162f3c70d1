import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Edit, EditedHeaderError } from '../dead-letters/edit.ts';
import { Problem } from '../http/problem.ts';
import type { Audit, EditedReplayed, Job, JobList } from './api-job-types.ts';
import type { AuditLog } from './audit.ts';
import type { IndexFollower } from './follow.ts';
import type { Jobs } from './jobs.ts';
import { auditQuery, checked, editBody, entryFilter, jobBody, letterParameters } from './query.ts';

export interface JobRouteParts {
  follower: IndexFollower;
  jobs: Jobs;
  audit: AuditLog;
}

type JobRequest = FastifyRequest<{ Params: { id: string } }>;

/** Adds the routes of what an operator does with dead letters. Each action is recorded before it begins. */
export function addJobRoutes(app: FastifyInstance, { follower, jobs, audit }: JobRouteParts): void {
  app.get('/api/jobs', async (): Promise<JobList> => ({ jobs: jobs.all }));
  app.get('/api/jobs/:id', async ({ params }: JobRequest) => known(jobs.get(params.id)));
  const ask =
    (action: 'stop' | 'pause' | 'resume') =>
    async ({ params: { id }, user }: JobRequest) => {
      known(jobs.get(id));
      await audit.add(user, action, { job: id });
      return known(jobs[action](id));
    };
  app.delete('/api/jobs/:id', ask('stop'));
  app.post('/api/jobs/:id/pause', ask('pause'));
  app.post('/api/jobs/:id/resume', ask('resume'));

  app.post('/api/jobs', async ({ body, user }, reply) => {
    const { filter, ...work } = checked(jobBody, body);
    const { offset: offsets, ...fields } = filter;
    // A dead letter that a client has seen, and none that it has seen go, is selected.
    await follower.catchUp();
    const job = jobs.start({ ...work, filter: entryFilter(fields), offsets, user });
    return reply.code(202).header('location', `/api/jobs/${job.id}`).send(job);
  });

  app.post('/api/letters/:offset/replay', async ({ params, body, user }, reply) => {
    const { offset } = checked(letterParameters, params);
    const { to, body: base64, content_type: contentType, headers } = checked(editBody, body);
    const edit = { to, body: Buffer.from(base64, 'base64'), contentType, headers };
    await audit.add(user, 'edit', { offset, to, bytes: edit.body.length });
    const replayed = await replay(jobs, offset, edit, user);
    await audit.add(user, 'edited', { offset, ...replayed });
    return reply.code(201).send(replayed);
  });

  app.get('/api/audit', async ({ query }): Promise<Audit> => {
    const { limit, before } = checked(auditQuery, query);
    return audit.latest(limit, before);
  });
}

async function replay(jobs: Jobs, offset: number, edit: Edit, user: string): Promise<EditedReplayed> {
  const edited = await jobs.edit(offset, edit, user).catch((error: unknown) => {
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
