//! A session reserves no more than its limit, nor than the worker has left, and gives all of it back.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use tokio_util::sync::CancellationToken;

use super::arrays::Random;
use super::memory::{SessionPool, process_pool};

fn session(limit: usize, worker: &Arc<dyn MemoryPool>) -> (Arc<SessionPool>, CancellationToken) {
    let over = CancellationToken::new();
    (SessionPool::new(limit, worker.clone(), over.clone()), over)
}

fn consumer(name: &str, pool: &Arc<SessionPool>) -> MemoryReservation {
    let pool: Arc<dyn MemoryPool> = pool.clone();
    MemoryConsumer::new(name).register(&pool)
}

fn exhausted(result: datafusion::common::Result<()>) -> String {
    match result.unwrap_err().find_root() {
        DataFusionError::ResourcesExhausted(text) => text.clone(),
        // Operators spill on this error alone.
        other => panic!("{other}"),
    }
}

#[test]
fn a_session_has_its_limit_and_no_more() {
    let worker = process_pool(10_000);
    let (pool, over) = session(1_000, &worker);
    let reservation = consumer("sort", &pool);
    reservation.try_grow(1_000).unwrap();
    exhausted(reservation.try_grow(1));
    assert_eq!((pool.held(), worker.reserved()), (1_000, 1_000));
    reservation.free();
    assert_eq!((pool.held(), worker.reserved(), pool.peak()), (0, 0, 1_000));
    assert!(!over.is_cancelled());
}

#[test]
fn a_refusal_by_the_worker_leaves_nothing_reserved() {
    let worker = process_pool(1_000);
    let (first, _) = session(800, &worker);
    let (second, over) = session(800, &worker);
    let mine = consumer("tenant-a-secret-expression", &first);
    mine.try_grow(700).unwrap();
    let other = consumer("sort", &second);
    let text = exhausted(other.try_grow(400));
    assert!(!text.contains("secret"), "`{text}` names another session's consumer");
    assert_eq!((second.held(), worker.reserved()), (0, 700));
    assert_eq!(second.peak(), 0, "what was refused was never held");
    other.try_grow(300).unwrap();
    drop(mine);
    other.try_grow(400).unwrap();
    assert_eq!(worker.reserved(), 700);
    assert!(!over.is_cancelled());
}

#[test]
fn taking_what_cannot_be_refused_ends_the_session() {
    let worker = process_pool(10_000);
    let (pool, over) = session(1_000, &worker);
    let reservation = consumer("join", &pool);
    reservation.grow(1_000);
    assert!(!over.is_cancelled());
    reservation.grow(1);
    assert!(over.is_cancelled());
    drop(reservation);
    assert_eq!((pool.held(), worker.reserved()), (0, 0));
}

#[test]
fn spilling_consumers_share_a_session_fairly() {
    let worker = process_pool(10_000);
    let (pool, _) = session(1_000, &worker);
    let dynamic: Arc<dyn MemoryPool> = pool.clone();
    let first = MemoryConsumer::new("a").with_can_spill(true).register(&dynamic);
    let second = MemoryConsumer::new("b").with_can_spill(true).register(&dynamic);
    exhausted(first.try_grow(600));
    first.try_grow(500).unwrap();
    second.try_grow(500).unwrap();
    drop(first);
    second.try_grow(400).unwrap();
    assert_eq!(worker.reserved(), pool.held());
}

#[test]
fn session_and_worker_agree_after_any_history() {
    for seed in 0..200 {
        let random = &mut Random::new(seed);
        let worker = process_pool(3_000);
        let pools: Vec<_> = (0..3).map(|_| session(1_500, &worker).0).collect();
        let mut held: Vec<MemoryReservation> = Vec::new();
        for _ in 0..60 {
            match random.below(5) {
                0 => held.push(consumer("c", &pools[random.below(3)])),
                1 if !held.is_empty() => drop(held.swap_remove(random.below(held.len()))),
                2 if !held.is_empty() => {
                    let reservation = &mut held[0];
                    let size = reservation.size();
                    reservation.shrink(random.below(size + 1));
                }
                3 if !held.is_empty() => {
                    let index = random.below(held.len());
                    held[index].grow(random.below(100));
                }
                _ if !held.is_empty() => {
                    let index = random.below(held.len());
                    let _ = held[index].try_grow(random.below(1_000));
                }
                _ => {}
            }
            let sum: usize = pools.iter().map(|pool| pool.held()).sum();
            assert_eq!(sum, worker.reserved(), "seed {seed}");
            assert_eq!(
                sum,
                held.iter().map(MemoryReservation::size).sum::<usize>(),
                "seed {seed}"
            );
        }
        drop(held);
        assert_eq!(worker.reserved(), 0, "seed {seed}");
    }
}
