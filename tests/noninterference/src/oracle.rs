//! Many triples from one seed.

use crate::cases::Case;
use crate::draw::{Draw, derived};
use crate::probes::PROBES;
use crate::queries;
use crate::shrink::smaller;
use crate::tally::{Tally, known};
use crate::triple::{FORMATS, Finding, Stage};
use crate::world::World;

/// Queries on one world.
pub const QUERIES: u64 = 25;

/// A finding and the smallest case that still shows it.
pub struct Found {
    pub world_seed: u64,
    pub finding: Finding,
    pub case: Case,
}

/// One world and its queries; `shrink` makes what is found small, `asks` hears each query before it runs.
pub async fn world(seed: u64, triples: u64, shrink: bool, asks: impl Fn(&str)) -> (Tally, Vec<Found>) {
    let mut draw = Draw::seeded(seed);
    let world = World::draw(&mut draw).await;
    let stage = Stage::new(&world).await;
    let mut tally = Tally {
        worlds: 1,
        ..Tally::default()
    };
    let mut found = Vec::new();
    for index in 0..triples {
        let mut draw = Draw::seeded(derived(seed, index));
        let query = queries::draw(&mut draw, &world);
        let formats = &FORMATS[..usize::from(index % 3 == 0)];
        let formats = if formats.is_empty() {
            formats
        } else {
            std::slice::from_ref(draw.pick(&FORMATS))
        };
        asks(&query.sql);
        let (end, findings) = stage.run(&query, formats).await;
        tally.triples += 1;
        *tally.ends.entry(end).or_default() += 1;
        for feature in &query.features {
            *tally.features.entry(feature).or_default() += 1;
        }
        for finding in findings {
            *tally.channels.entry(finding.channel).or_default() += 1;
            if known(finding.channel) {
                continue;
            }
            let case = Case::new(finding.channel, &query, &world);
            let case = if shrink {
                smaller(case, draw.taken(), finding.channel).await
            } else {
                case
            };
            found.push(Found {
                world_seed: seed,
                finding,
                case,
            });
        }
    }
    let (sql, code) = PROBES[usize::try_from(seed % PROBES.len() as u64).unwrap_or_default()];
    tally.probes += 1;
    for finding in stage.probe(sql, code).await {
        *tally.channels.entry(finding.channel).or_default() += 1;
        let mut case = Case::new(&format!("gate: {code}"), &queries::draw(&mut draw, &world), &world);
        case.sql = sql.into();
        case.refused = Some(code.into());
        found.push(Found {
            world_seed: seed,
            finding,
            case,
        });
    }
    (tally, found)
}
