//! Every case that the oracle was ever asked to keep, and statements that no session admits. Generated worlds are the
//! command's: `npm run oracle`.

use std::path::Path;

use ambit_noninterference::probes::PROBES;
use ambit_noninterference::world::World;
use ambit_noninterference::{cases, draw::Draw, triple::Stage};

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
