//! A bounded run of the oracle, the same each time, and every case that was ever kept. Other seeds are the command's:
//! `npm run oracle`.

use std::path::Path;

use ambit_noninterference::draw::derived;
use ambit_noninterference::lineage;
use ambit_noninterference::oracle::{self, QUERIES};
use ambit_noninterference::probes::PROBES;
use ambit_noninterference::tally::Tally;
use ambit_noninterference::world::World;
use ambit_noninterference::{cases, draw::Draw, triple::Stage};

/// Worlds of the fixed seed: always as many.
const WORLDS: u64 = 30;

async fn worlds(seed: u64, count: u64) -> Tally {
    let mut total = Tally::default();
    for index in 0..count {
        let (tally, found) = oracle::world(derived(seed, index), QUERIES, true, |_| ()).await;
        total.add(tally);
        if let Some(found) = found.first() {
            panic!(
                "seed {seed}, {}: {}\n{}\n{}",
                found.finding.channel,
                found.finding.text,
                found.case.sql,
                serde_json::to_string(&found.case).expect("a case is JSON")
            );
        }
    }
    total
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_learned() {
    let total = worlds(4, WORLDS).await;
    let succeeded = total
        .ends
        .get(&ambit_noninterference::triple::End::Succeeded)
        .copied()
        .unwrap_or_default();
    assert!(succeeded * 2 > total.triples, "most queries must run: {total}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_once_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    for (name, case) in cases::load(&folder) {
        let findings = case.run().await;
        assert!(findings.is_empty(), "{name}: {} {findings:?}", case.about);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_probe_is_refused() {
    let world = World::draw(&mut Draw::seeded(7)).await;
    let stage = Stage::new(&world).await;
    for (sql, code) in PROBES {
        let findings = stage.probe(sql, code).await;
        assert!(findings.is_empty(), "{sql}: {findings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_input_of_a_column_does_not_move_it() {
    let mut total = lineage::Held::default();
    for index in 0..WORLDS {
        let held = lineage::world(derived(11, index), 4 * QUERIES).await;
        total.answered += held.answered;
        total.apart += held.apart;
        total.moved += held.moved;
        total.unlike.extend(held.unlike);
    }
    assert!(total.unlike.is_empty(), "{}", total.unlike.join("\n"));
    // Neither an empty answer nor a lineage of everything would be found out.
    assert!(
        total.answered > 200 && total.apart > 200 && total.moved > 50,
        "{total:?}"
    );
}
