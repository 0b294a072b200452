//! Writes what a batch decided, in one round trip. The caller commits it, or rolls it back.

use std::collections::BTreeSet;

use deadpool_postgres::Object;
use mynah_domain::PostId;

use super::{
    super::decision::stand_of,
    batch::{Batch, Entry, Part, PartChange},
    decisions,
    errors::Result,
    fences::{self, Fences},
    pipeline::Pipeline,
    rows::{get, storable, to_integer, to_json},
    spending,
};

/// Locks posts whose texts must be on record: removing them waits, and so does this for a removal.
const WITH_TEXT: &str = "
    SELECT 1 FROM posts JOIN UNNEST($1::text[], $2::text[]) AS needed (source, id)
      ON posts.source = needed.source AND posts.id = needed.id
    WHERE posts.forgotten_at IS NULL ORDER BY posts.source, posts.id FOR SHARE OF posts";

/// Each job is written only if it is the row that was read.
const JOBS: &str = "
    UPDATE jobs SET
        state = new.state, stand = new.stand, token = new.token, attempt = new.attempt,
        not_before = new.not_before, kind = new.kind, reason = new.reason, updated_at = new.updated_at,
        last_change = new.last_change,
        translation = coalesce(new.translation, jobs.translation), engine = coalesce(new.engine, jobs.engine),
        rejected = coalesce(new.rejected, jobs.rejected),
        before_skip = CASE WHEN new.is_skipped THEN new.before_skip ELSE jobs.before_skip END,
        draft = coalesce(new.draft, jobs.draft),
        guidance = CASE WHEN new.is_guided THEN new.guidance ELSE jobs.guidance END
    FROM UNNEST(
        $1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
        $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bool[], $15::text[],
        $16::bigint[], $17::text[], $18::bigint[], $19::text[], $20::bool[], $21::text[]
    ) AS new (id, state, stand, token, attempt, not_before, kind, reason, updated_at, last_change, translation, engine,
              rejected, is_skipped, before_skip, old_token, old_state, old_change, draft, is_guided, guidance)
    WHERE jobs.id = new.id AND jobs.token = new.old_token AND jobs.state = new.old_state
      AND jobs.last_change IS NOT DISTINCT FROM new.old_change";

const DECISIONS: &str = "
    INSERT INTO draft_decisions (job, token, at, who, action, note)
    SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])";

const NEW_POSTS: &str = "
    INSERT INTO posts (source, id, position, body, recorded_at, raw, forgotten_at)
    SELECT * FROM UNNEST(
        $1::text[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[])
    ON CONFLICT DO NOTHING";

const READ_POSTS: &str = "
    UPDATE posts SET body = new.body, raw = NULL FROM UNNEST($1::text[], $2::text[], $3::text[]) AS new (source, id, body)
    WHERE posts.source = new.source AND posts.id = new.id AND posts.raw IS NOT NULL";

/// In the order in which they were added, which their numbers follow.
const NEW_JOBS: &str = "
    INSERT INTO jobs (source, post, target, position, state, stand, token, attempt, kind, reason, created_at, updated_at,
                      last_change)
    SELECT source, post, target, position, state, stand, token, attempt, kind, reason, created_at, updated_at, last_change
    FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
                $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::bigint[]) WITH ORDINALITY
      AS new (source, post, target, position, state, stand, token, attempt, kind, reason, created_at, updated_at,
              last_change, number)
    ORDER BY number";

const REPLACED_VERSION: &str = "UPDATE versions SET post = $3 WHERE source = $1 AND post = $2";

const NEW_VERSIONS: &str = "
    INSERT INTO versions (source, id, post) SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[])
    ON CONFLICT DO NOTHING";

const CHECKPOINTS: &str = "
    INSERT INTO checkpoints (source, body) SELECT * FROM UNNEST($1::text[], $2::text[])
    ON CONFLICT (source) DO UPDATE SET body = excluded.body";

const ABSENT_PARTS: &str = "
    DELETE FROM publications USING UNNEST($1::bigint[], $2::bigint[]) AS absent (job, part)
    WHERE publications.job = absent.job AND publications.part = absent.part AND publications.remote_id IS NULL";

const NEW_PARTS: &str = "
    INSERT INTO publications (job, part, account, text, intent_at, key, reply_root, reply_parent, after, remote_id, sent_at,
                              cost, cost_day, cost_service)
    SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[],
                         $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::text[])";

const SENT_PARTS: &str = "
    UPDATE publications SET remote_id = sent.remote_id, sent_at = sent.at
    FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS sent (job, part, remote_id, at)
    WHERE publications.job = sent.job AND publications.part = sent.part";

const SETTLED: &str = "
    INSERT INTO settled (target, state, jobs) SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[])
    ON CONFLICT (target, state) DO UPDATE SET jobs = settled.jobs + excluded.jobs";

/// What must come true for the transaction to be committed.
enum Check {
    /// These leases are held.
    Leases,
    /// So many rows are found.
    Found(usize),
    /// So many rows are changed.
    Changed(usize),
    /// Nothing.
    Nothing,
}

/// Writes a batch. Returns whether it may be committed.
pub(super) async fn store(db: &Object, batch: &mut Batch, fences: &Fences) -> Result<bool> {
    let mut writing = Writing { pipeline: Pipeline::begin(db), checks: Vec::new() };
    if !batch.needed.is_empty() {
        let (names, numbers) = batch.needed.columns();
        let instance = fences.instance.to_string();
        let values: super::pipeline::Values = vec![Box::new(names), Box::new(numbers), Box::new(instance)];
        writing.pipeline.query(fences::LOCK, values).await?;
        writing.checks.push(Check::Leases);
    }
    if !batch.with_text.is_empty() {
        let (sources, ids): (Vec<String>, Vec<String>) =
            batch.with_text.iter().map(|(source, id)| (text(source), text(&id.0))).unzip();
        writing.pipeline.query(WITH_TEXT, vec![Box::new(sources), Box::new(ids)]).await?;
        writing.checks.push(Check::Found(batch.with_text.len()));
    }
    writing.pages(batch).await?;
    writing.jobs(batch).await?;
    writing.parts(batch).await?;
    writing.settled(batch).await?;
    writing.spending(batch).await?;
    writing.draft_decisions(batch).await?;
    let Writing { pipeline, checks } = writing;
    let answers = match pipeline.run().await {
        // Another process added the same post or part. What was read is outdated.
        Err(super::errors::Error::Postgres(error)) if is_duplicate(&error) => return Ok(false),
        answers => answers?,
    };
    let mut may_commit = true;
    for (check, answer) in checks.into_iter().zip(answers) {
        may_commit &= match check {
            Check::Leases => {
                let held = answer.rows.iter().map(|row| get(row, 0)).collect::<Result<BTreeSet<String>>>()?;
                batch.needed.verified(&held)
            }
            Check::Found(rows) => answer.rows.len() == rows,
            Check::Changed(rows) => answer.changed == rows as u64,
            Check::Nothing => true,
        };
    }
    Ok(may_commit)
}

fn is_duplicate(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION)
}

fn text(text: &str) -> String {
    storable(text).into_owned()
}

fn id(id: Option<&PostId>) -> Option<String> {
    id.map(|id| text(&id.0))
}

/// One column of an array of rows.
macro_rules! column {
    ($rows:expr, $value:expr) => {
        Box::new($rows.iter().map($value).collect::<Vec<_>>())
    };
}

struct Writing<'a> {
    pipeline: Pipeline<'a>,
    checks: Vec<Check>,
}

impl Writing<'_> {
    async fn execute(&mut self, sql: &str, check: Check, values: super::pipeline::Values) -> Result<()> {
        self.pipeline.execute(sql, values).await?;
        self.checks.push(check);
        Ok(())
    }

    async fn pages(&mut self, batch: &Batch) -> Result<()> {
        let posts = &batch.new_posts;
        if !posts.is_empty() {
            let values: super::pipeline::Values = vec![
                column!(posts, |post| text(&post.source)),
                column!(posts, |post| text(&post.id.0)),
                column!(posts, |post| post.position),
                column!(posts, |post| post.body.clone()),
                column!(posts, |post| post.recorded_at),
                column!(posts, |post| post.raw.as_deref().map(text)),
                column!(posts, |post| post.forgotten_at),
            ];
            self.execute(NEW_POSTS, Check::Changed(posts.len()), values).await?;
        }
        for (source, timeline) in &batch.timelines {
            let source = text(source);
            if !timeline.read.is_empty() {
                let values: super::pipeline::Values = vec![
                    Box::new(vec![source.clone(); timeline.read.len()]),
                    Box::new(timeline.read.keys().map(|id| text(&id.0)).collect::<Vec<_>>()),
                    Box::new(timeline.read.values().cloned().collect::<Vec<_>>()),
                ];
                self.execute(READ_POSTS, Check::Changed(timeline.read.len()), values).await?;
            }
            for (old, new) in &timeline.replaced {
                let values: super::pipeline::Values =
                    vec![Box::new(source.clone()), Box::new(text(&old.0)), Box::new(text(&new.0))];
                self.execute(REPLACED_VERSION, Check::Nothing, values).await?;
            }
            if !timeline.new_versions.is_empty() {
                let (ids, posts): (Vec<String>, Vec<String>) =
                    timeline.new_versions.iter().map(|(id, post)| (text(&id.0), text(&post.0))).unzip();
                let values: super::pipeline::Values =
                    vec![Box::new(vec![source.clone(); ids.len()]), Box::new(ids), Box::new(posts)];
                self.execute(NEW_VERSIONS, Check::Nothing, values).await?;
            }
        }
        if !batch.checkpoints.is_empty() {
            let sources: Vec<String> = batch.checkpoints.keys().map(|source| text(source)).collect();
            let bodies = batch.checkpoints.values().map(to_json).collect::<Result<Vec<String>>>()?;
            self.execute(CHECKPOINTS, Check::Nothing, vec![Box::new(sources), Box::new(bodies)]).await?;
        }
        Ok(())
    }

    async fn jobs(&mut self, batch: &Batch) -> Result<()> {
        let jobs: Vec<_> = batch.jobs.iter().filter(|(_, job)| job.changed_at.is_some()).collect();
        if !jobs.is_empty() {
            let values: super::pipeline::Values = vec![
                column!(jobs, |(id, _)| id.0),
                column!(jobs, |(_, job)| job.row.state.as_str()),
                column!(jobs, |(_, job)| stand_of(job.row.state)),
                column!(jobs, |(_, job)| job.row.token),
                column!(jobs, |(_, job)| i64::from(job.row.attempt)),
                column!(jobs, |(_, job)| job.row.not_before),
                column!(jobs, |(_, job)| job.row.kind.clone()),
                column!(jobs, |(_, job)| job.row.reason.as_deref().map(text)),
                column!(jobs, |(_, job)| job.changed_at),
                column!(jobs, |(_, job)| job.row.last_change),
                column!(jobs, |(_, job)| job.translation.as_ref().map(|(json, _)| json.clone())),
                column!(jobs, |(_, job)| job.translation.as_ref().map(|(_, engine)| text(engine))),
                column!(jobs, |(_, job)| job.rejected.clone()),
                column!(jobs, |(_, job)| job.before_skip.is_some()),
                column!(jobs, |(_, job)| job.before_skip.clone().flatten()),
                column!(jobs, |(_, job)| job.version.0),
                column!(jobs, |(_, job)| job.version.1.as_str()),
                column!(jobs, |(_, job)| job.version.2),
                column!(jobs, |(_, job)| job.draft.clone()),
                column!(jobs, |(_, job)| job.guidance.is_some()),
                column!(jobs, |(_, job)| job.guidance.clone().flatten()),
            ];
            self.execute(JOBS, Check::Changed(jobs.len()), values).await?;
            let decisions: Vec<_> = jobs
                .iter()
                .flat_map(|(id, job)| job.decisions.iter().map(|(token, at, made)| (id.0, *token, *at, made)))
                .collect();
            if !decisions.is_empty() {
                let values: super::pipeline::Values = vec![
                    column!(decisions, |(job, ..)| *job),
                    column!(decisions, |(_, token, ..)| *token),
                    column!(decisions, |(_, _, at, _)| *at),
                    column!(decisions, |(.., made)| made.who.as_deref().map(text)),
                    column!(decisions, |(.., made)| made.action.as_str()),
                    column!(decisions, |(.., made)| made.note.as_deref().map(text)),
                ];
                self.execute(DECISIONS, Check::Changed(decisions.len()), values).await?;
            }
        }
        let jobs = &batch.new_jobs;
        if !jobs.is_empty() {
            let values: super::pipeline::Values = vec![
                column!(jobs, |job| text(&job.source)),
                column!(jobs, |job| text(&job.post.0)),
                column!(jobs, |job| text(job.row.target.as_str())),
                column!(jobs, |job| job.position),
                column!(jobs, |job| job.row.state.as_str()),
                column!(jobs, |job| stand_of(job.row.state)),
                column!(jobs, |job| job.row.token),
                column!(jobs, |job| i64::from(job.row.attempt)),
                column!(jobs, |job| job.row.kind.clone()),
                column!(jobs, |job| job.row.reason.as_deref().map(text)),
                column!(jobs, |job| job.created_at),
                column!(jobs, |job| job.changed_at.unwrap_or(job.created_at)),
                column!(jobs, |job| job.row.last_change),
            ];
            self.execute(NEW_JOBS, Check::Changed(jobs.len()), values).await?;
        }
        Ok(())
    }

    async fn parts(&mut self, batch: &Batch) -> Result<()> {
        let changed = || batch.jobs.iter().filter(|(_, job)| job.changed_at.is_some());
        let absent: Vec<(i64, i64)> =
            changed().flat_map(|(id, job)| job.absent.iter().map(|part| (id.0, i64::from(*part)))).collect();
        if !absent.is_empty() {
            let (jobs, parts): (Vec<i64>, Vec<i64>) = absent.into_iter().unzip();
            self.execute(ABSENT_PARTS, Check::Nothing, vec![Box::new(jobs), Box::new(parts)]).await?;
        }
        let parts = || changed().flat_map(|(id, job)| parts_of(id.0, job));
        let begun: Vec<_> = parts()
            .filter_map(|(job, number, part)| match &part.change {
                PartChange::Begun(begun) => Some((job, number, part, begun)),
                _ => None,
            })
            .collect();
        if !begun.is_empty() {
            let values: super::pipeline::Values = vec![
                column!(begun, |(job, ..)| *job),
                column!(begun, |(_, number, ..)| *number),
                column!(begun, |(_, _, part, _)| text(part.account.as_str())),
                column!(begun, |(.., begun)| text(&begun.text)),
                column!(begun, |(.., begun)| begun.intent_at),
                column!(begun, |(.., begun)| begun.key.clone()),
                column!(begun, |(.., begun)| begun.reply.as_ref().map(|(root, _)| text(root))),
                column!(begun, |(.., begun)| begun.reply.as_ref().map(|(_, parent)| text(parent))),
                column!(begun, |(.., begun)| id(begun.after.as_ref())),
                column!(begun, |(_, _, part, _)| id(part.remote_id.as_ref())),
                column!(begun, |(.., begun)| begun.sent_at),
                column!(begun, |(.., begun)| begun.cost.as_ref().map(|(cost, ..)| *cost)),
                column!(begun, |(.., begun)| begun.cost.as_ref().map(|(_, day, _)| day.clone())),
                column!(begun, |(.., begun)| begun.cost.as_ref().map(|(.., service)| text(service))),
            ];
            self.execute(NEW_PARTS, Check::Changed(begun.len()), values).await?;
        }
        let sent: Vec<_> = parts()
            .filter_map(|(job, number, part)| match part.change {
                PartChange::Sent(at) => Some((job, number, id(part.remote_id.as_ref()), at)),
                _ => None,
            })
            .collect();
        if !sent.is_empty() {
            let values: super::pipeline::Values = vec![
                column!(sent, |(job, ..)| *job),
                column!(sent, |(_, number, ..)| *number),
                column!(sent, |(_, _, id, _)| id.clone()),
                column!(sent, |(.., at)| *at),
            ];
            self.execute(SENT_PARTS, Check::Changed(sent.len()), values).await?;
        }
        Ok(())
    }

    async fn settled(&mut self, batch: &Batch) -> Result<()> {
        let counts: Vec<_> = batch.settled.differences().filter(|(.., jobs)| *jobs != 0).collect();
        if !counts.is_empty() {
            let values: super::pipeline::Values = vec![
                column!(counts, |(target, ..)| text(target.as_str())),
                column!(counts, |(_, state, _)| *state),
                column!(counts, |(.., jobs)| to_integer(*jobs)),
            ];
            self.execute(SETTLED, Check::Nothing, values).await?;
        }
        Ok(())
    }
}

impl Writing<'_> {
    async fn draft_decisions(&mut self, batch: &Batch) -> Result<()> {
        if batch.decisions.is_empty() {
            return Ok(());
        }
        self.execute(decisions::RECORD, Check::Nothing, decisions::values(&batch.decisions)).await
    }

    async fn spending(&mut self, batch: &Batch) -> Result<()> {
        let book = &batch.book;
        if !book.is_changed() {
            return Ok(());
        }
        if book.is_limited() || book.is_beyond() {
            let version = if book.is_limited() { batch.money.version } else { None };
            let check = Check::Changed(1);
            self.execute(spending::NEXT_VERSION, check, vec![Box::new(version)]).await?;
        }
        if let Some(values) = spending::spent(book) {
            self.execute(spending::SPENT, Check::Nothing, values).await?;
        }
        let (released, reserved) = spending::reserved(book);
        if let Some((values, rows)) = released {
            self.execute(spending::RELEASED, Check::Changed(rows), values).await?;
        }
        if let Some((values, rows)) = reserved {
            self.execute(spending::RESERVED, Check::Changed(rows), values).await?;
        }
        Ok(())
    }
}

fn parts_of(job: i64, entry: &Entry) -> impl Iterator<Item = (i64, i64, &Part)> {
    entry.parts.iter().map(move |(number, part)| (job, i64::from(*number), part))
}
