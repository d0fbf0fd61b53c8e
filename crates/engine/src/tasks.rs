//! Every task that DataFusion spawns belongs to a session: counted, so that "nothing is left" is a fact and not a hope.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Notify;

tokio::task_local! {
    static OWNER: Arc<Tasks>;
}

/// The tasks of one session, and of all sessions of the process above it.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    alive: AtomicU64,
    quiet: Notify,
    all: Option<Arc<Tasks>>,
}

impl Tasks {
    /// Tasks of a session whose count also goes to `all`.
    pub(crate) fn within(all: &Arc<Tasks>) -> Arc<Self> {
        Arc::new(Self {
            all: Some(Arc::clone(all)),
            ..Self::default()
        })
    }

    pub(crate) fn alive(&self) -> u64 {
        self.alive.load(Ordering::Acquire)
    }

    /// Runs `future` so that whatever it spawns is counted here.
    pub(crate) async fn own<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        OWNER.scope(self, future).await
    }

    /// Returns when no task is alive.
    pub(crate) async fn quiet(&self) {
        loop {
            let waiting = self.quiet.notified();
            if self.alive() == 0 {
                return;
            }
            waiting.await;
        }
    }

    fn enter(self: &Arc<Self>) -> Alive {
        self.alive.fetch_add(1, Ordering::AcqRel);
        if let Some(all) = &self.all {
            all.alive.fetch_add(1, Ordering::AcqRel);
        }
        Alive(Arc::clone(self))
    }
}

/// Held by a task; dropped with it, finished or aborted.
struct Alive(Arc<Tasks>);

impl Drop for Alive {
    fn drop(&mut self) {
        if let Some(all) = &self.0.all {
            all.alive.fetch_sub(1, Ordering::AcqRel);
        }
        if self.0.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.quiet.notify_waiters();
        }
    }
}

struct Counting;

impl JoinSetTracer for Counting {
    fn trace_future(&self, future: BoxFuture<'static, Box<dyn Any + Send>>) -> BoxFuture<'static, Box<dyn Any + Send>> {
        let Ok(owner) = OWNER.try_with(Arc::clone) else {
            return future;
        };
        let alive = owner.enter();
        OWNER
            .scope(owner, async move {
                let result = future.await;
                drop(alive);
                result
            })
            .boxed()
    }

    fn trace_block(
        &self,
        block: Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>,
    ) -> Box<dyn FnOnce() -> Box<dyn Any + Send> + Send> {
        let Ok(owner) = OWNER.try_with(Arc::clone) else {
            return block;
        };
        let alive = owner.enter();
        Box::new(move || {
            let result = OWNER.sync_scope(owner, block);
            drop(alive);
            result
        })
    }
}

/// Installs the counting, once in a process.
pub(crate) fn install() {
    static COUNTING: Counting = Counting;
    // A second engine in one process finds it there already.
    let _ = set_join_set_tracer(&COUNTING);
}
