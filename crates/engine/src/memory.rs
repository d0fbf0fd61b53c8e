//! A session's memory: its own limit, under the worker's.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use tokio_util::sync::CancellationToken;

/// The pool of all sessions of a worker. Never one that names its consumers in errors: they are other tenants'.
pub(crate) fn process_pool(bytes: usize) -> Arc<dyn MemoryPool> {
    Arc::new(GreedyMemoryPool::new(bytes))
}

/// The pool of one session: fair among its spilling operators, and never more than the worker has left.
#[derive(Debug)]
pub(crate) struct SessionPool {
    local: FairSpillPool,
    worker: Arc<dyn MemoryPool>,
    limit: usize,
    peak: AtomicUsize,
    over: CancellationToken,
}

impl SessionPool {
    /// `over` fires when operators that cannot be refused have taken more than `limit`.
    pub(crate) fn new(limit: usize, worker: Arc<dyn MemoryPool>, over: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            local: FairSpillPool::new(limit),
            worker,
            limit,
            peak: AtomicUsize::new(0),
            over,
        })
    }

    /// Reserved now, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.local.reserved()
    }

    /// Highest reservation, in bytes.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Acquire)
    }

    fn raise(&self) {
        self.peak.fetch_max(self.local.reserved(), Ordering::AcqRel);
    }
}

impl fmt::Display for SessionPool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "session({} bytes)", self.limit)
    }
}

impl MemoryPool for SessionPool {
    fn name(&self) -> &str {
        "session"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.local.register(consumer);
        self.worker.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.local.unregister(consumer);
        self.worker.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.local.grow(reservation, additional);
        self.worker.grow(reservation, additional);
        self.raise();
        if self.local.reserved() > self.limit {
            self.over.cancel();
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.local.shrink(reservation, shrink);
        self.worker.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.local.try_grow(reservation, additional)?;
        if self.worker.try_grow(reservation, additional).is_err() {
            self.local.shrink(reservation, additional);
            return Err(DataFusionError::ResourcesExhausted(
                "the worker's memory is used up".into(),
            ));
        }
        self.raise();
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.local.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}
