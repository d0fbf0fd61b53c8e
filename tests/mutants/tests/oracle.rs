//! The oracle in its parts, as tests.

use std::path::Path;

use ambit_noninterference_mutated::draw::{Draw, derived};
use ambit_noninterference_mutated::oracle::{self, QUERIES};
use ambit_noninterference_mutated::probes::PROBES;
use ambit_noninterference_mutated::triple::Stage;
use ambit_noninterference_mutated::world::World;
use ambit_noninterference_mutated::{cases, tally};

/// As in the oracle's own bounded run.
const SEED: u64 = 4;
const WORLDS: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../noninterference/cases");
    let mut found = Vec::new();
    for (name, case) in cases::load(&folder) {
        if !case.run().await.is_empty() {
            found.push(name);
        }
    }
    assert!(found.is_empty(), "learned by: {}", found.join(" "));
}

#[tokio::test(flavor = "multi_thread")]
async fn statements() {
    let world = World::draw(&mut Draw::seeded(1)).await;
    let stage = Stage::new(&world).await;
    for (sql, code) in PROBES {
        let found = stage.probe(sql, code).await;
        assert!(found.is_empty(), "{sql}: {}", found[0].text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds() {
    for index in 0..WORLDS {
        let (_, found) = oracle::world(derived(SEED, index), QUERIES, false, |_| ()).await;
        if let Some(found) = found.iter().find(|found| !tally::known(found.finding.channel)) {
            panic!("learned by {}: {}", found.finding.channel, found.case.sql);
        }
    }
}
