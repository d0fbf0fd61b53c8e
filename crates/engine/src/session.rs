//! A session: assembled, run, closed. Whatever happens in between, it ends with one outcome and leaves nothing.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ambit_protocol::{EngineError, EngineErrorCode, OpenSession, Outcome, OutcomeStatus, Residue, Timings};
use chrono::DateTime;
use datafusion::execution::{SessionState, context::ExecutionProps};
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::Frame;
use crate::access::AccessLog;
use crate::engine::{Engine, Open};
use crate::error::{Fault, panicked};
use crate::memory::SessionPool;
use crate::report::{Ran, Room, operators};
use crate::resources::{Resources, resources};
use crate::run::{Delivered, Run};
use crate::scope::{Scope, mounts_of};
use crate::tasks::Tasks;
use crate::template::Template;

/// How long a session that has ended waits for its tasks to notice.
const QUIET_GRACE: Duration = Duration::from_millis(900);

/// An open session. It holds nothing but what its template and claims give it, and runs one statement.
pub struct Session {
    open: Open,
    scope: Arc<Scope>,
    state: SessionState,
    resources: Resources,
    tasks: Arc<Tasks>,
    arrived: Instant,
    assembled: Duration,
}

impl Session {
    pub(crate) fn assemble(engine: Arc<Engine>, template: Arc<Template>, open: OpenSession) -> Result<Self, Fault> {
        let arrived = Instant::now();
        let mounts = mounts_of(&template, &open);
        let resources = resources(&engine, &template, &open, &mounts)?;
        let mut clock = ExecutionProps::new();
        clock.query_execution_start_time = DateTime::from_timestamp_micros(open.clock_micros);
        let state = template
            .builder()
            .with_session_id(open.session.clone())
            .with_runtime_env(Arc::clone(&resources.runtime))
            .with_execution_props(clock)
            .build();
        let tasks = Tasks::within(&engine.tasks);
        let scope = Scope::new(template, open, mounts);
        Ok(Self {
            open: engine.count(),
            scope,
            state,
            resources,
            tasks,
            assembled: arrived.elapsed(),
            arrived,
        })
    }

    /// Time that assembling took.
    pub fn assembled(&self) -> Duration {
        self.assembled
    }

    /// Runs the statement into `frames`, whose bound is the backpressure. The last frame is always the outcome, and is
    /// sent when nothing of the session is left.
    pub async fn run(self, frames: mpsc::Sender<Frame>, cancel: CancellationToken) {
        let outcome = self.answer(frames.clone(), cancel).await;
        // A consumer that is gone needs no outcome: the control plane then writes its own.
        let _ = frames.send(Frame::Outcome(Box::new(outcome))).await;
    }

    async fn answer(self, frames: mpsc::Sender<Frame>, cancel: CancellationToken) -> Outcome {
        let delivered = Arc::new(Mutex::new(Delivered::default()));
        let plan = Arc::new(OnceLock::new());
        let Self {
            open,
            scope,
            state,
            resources,
            tasks,
            arrived,
            assembled,
        } = self;
        let run = Run {
            scope: Arc::clone(&scope),
            state,
            frames,
            arrived,
            delivered: Arc::clone(&delivered),
            plan: Arc::clone(&plan),
        };
        let deadline = arrived + Duration::from_millis(scope.open.limits.deadline_ms);
        let statement = Arc::clone(&tasks).own(AssertUnwindSafe(async move { run.statement().await }).catch_unwind());
        let ended = tokio::select! {
            ended = statement => ended.unwrap_or_else(|payload| Err(panicked(payload.as_ref()))),
            () = cancel.cancelled() => Err(Fault::new(EngineErrorCode::Cancelled, "the session was cancelled")),
            () = resources.over_memory.cancelled() => Err(over_memory()),
            () = tokio::time::sleep_until(deadline.into()) => Err(over_time()),
        };
        let ended_at = arrived.elapsed();
        let mut outcome = {
            let ran = delivered.lock().unwrap_or_else(PoisonError::into_inner);
            let took = ended_at.saturating_sub(ran.planned.unwrap_or(ended_at));
            let found = plan
                .get()
                .map(|plan| operators(plan, &Ran::until_now(took)))
                .unwrap_or_default();
            drop(plan);
            Outcome {
                status: status(&ended, ran.planned.is_some()),
                error: ended.err().map(|fault| fitting(blamed(fault, &resources))),
                rows: ran.rows,
                batches: ran.batches,
                bytes: ran.bytes,
                result_digest: ran.result_digest(),
                operators: found,
                accesses: vec![],
                memory_peak_bytes: 0,
                spill_bytes: 0,
                timings: timings(&ran, assembled, ended_at),
                residue: Residue::default(),
            }
        };
        close(&mut outcome, scope, resources, &tasks, ended_at, arrived).await;
        drop(open);
        outcome
    }
}

/// Lets go of everything and looks whether it went.
async fn close(
    outcome: &mut Outcome,
    scope: Arc<Scope>,
    resources: Resources,
    tasks: &Arc<Tasks>,
    ended_at: Duration,
    arrived: Instant,
) {
    let Resources {
        runtime,
        pool,
        spill,
        access,
        ..
    } = resources;
    drop(scope);
    drop(runtime);
    // Aborted tasks end at their next await; what does not is reported.
    let _ = tokio::time::timeout(QUIET_GRACE, tasks.quiet()).await;
    outcome.accesses = AccessLog::accesses(&access);
    outcome.memory_peak_bytes = SessionPool::peak(&pool) as u64;
    outcome.spill_bytes = spill.written();
    outcome.residue = Residue {
        memory_bytes: SessionPool::held(&pool) as u64,
        spill_bytes: spill.used(),
        tasks: tasks.alive(),
    };
    outcome.timings.close_micros = micros(arrived.elapsed().saturating_sub(ended_at));
}

/// DataFusion tells a full disk quota, a full memory pool and a failing kernel apart in words only; the session's own
/// counters know.
fn blamed(fault: Fault, resources: &Resources) -> Fault {
    let mistaken = matches!(
        fault.0.code,
        EngineErrorCode::LimitMemory | EngineErrorCode::ComputeFailed | EngineErrorCode::Internal
    );
    if mistaken && resources.spill.exceeded() {
        let spill = Fault::new(EngineErrorCode::LimitSpill, "the session's spill limit was reached")
            .hint("sort or group less at once");
        return match fault.0.detail {
            Some(detail) => spill.detail(detail),
            None => spill,
        };
    }
    fault
}

/// The engine's words quote values, of any length.
fn fitting(Fault(mut error, _): Fault) -> EngineError {
    let mut room = Room::new();
    error.message = room.fit(error.message);
    error.detail = error.detail.map(|detail| room.fit(detail));
    error
}

fn over_memory() -> Fault {
    Fault::new(EngineErrorCode::LimitMemory, "the session's memory limit was reached")
        .hint("read less, or ask the owner for more memory")
}

fn over_time() -> Fault {
    Fault::new(EngineErrorCode::LimitTime, "the session's time limit was reached")
        .hint("read less, or ask the owner for more time")
}

fn status(ended: &Result<(), Fault>, planned: bool) -> OutcomeStatus {
    match ended {
        Ok(()) => OutcomeStatus::Completed,
        Err(fault) if fault.0.code == EngineErrorCode::Cancelled => OutcomeStatus::Cancelled,
        Err(fault) if !planned && refuses(fault.0.code) => OutcomeStatus::Refused,
        Err(_) => OutcomeStatus::Failed,
    }
}

/// Codes of the gates: nothing has run.
fn refuses(code: EngineErrorCode) -> bool {
    matches!(
        code,
        EngineErrorCode::SqlSyntax
            | EngineErrorCode::StatementRefused
            | EngineErrorCode::StatementTooComplex
            | EngineErrorCode::TableUnknown
            | EngineErrorCode::ColumnUnknown
            | EngineErrorCode::FunctionUnknown
            | EngineErrorCode::SqlInvalid
            | EngineErrorCode::ParameterInvalid
            | EngineErrorCode::ClaimMissing
            | EngineErrorCode::PlanRefused
    )
}

fn timings(ran: &Delivered, assembled: Duration, ended_at: Duration) -> Timings {
    let planned = ran.planned.unwrap_or(ended_at);
    Timings {
        assemble_micros: micros(assembled),
        plan_micros: micros(planned.saturating_sub(assembled)),
        first_row_micros: micros(ran.first_row.unwrap_or(ended_at).saturating_sub(planned)),
        run_micros: micros(ended_at.saturating_sub(planned)),
        close_micros: 0,
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
