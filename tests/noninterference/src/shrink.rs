//! Makes a case that shows a finding smaller, for as long as it shows it: first the query, by making fewer and simpler
//! choices, then the world, by leaving out rows, policies, tables and columns.

use crate::cases::Case;
use crate::draw::Draw;
use crate::queries;
use crate::twins;
use crate::world::World;

/// Trials in all.
const TRIALS_MAX: usize = 400;

struct Shrinker {
    channel: String,
    left: usize,
}

/// The smallest case found that still shows something by `channel`. `choices` made the query.
pub async fn smaller(case: Case, choices: &[u32], channel: &str) -> Case {
    let mut shrinker = Shrinker {
        channel: channel.to_string(),
        left: TRIALS_MAX,
    };
    let case = shrinker.query(case, choices.to_vec()).await;
    shrinker.world(case).await
}

impl Shrinker {
    async fn shows(&mut self, case: &Case) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        case.run().await.iter().any(|finding| finding.channel == self.channel)
    }

    async fn query(&mut self, mut case: Case, mut choices: Vec<u32>) -> Case {
        for width in [16, 8, 4, 2, 1] {
            let mut at = 0;
            while at < choices.len() && self.left > TRIALS_MAX / 2 {
                let end = (at + width).min(choices.len());
                let mut fewer = choices.clone();
                fewer.drain(at..end);
                let mut simpler = choices.clone();
                simpler[at..end].fill(0);
                let mut took = false;
                for trial in [fewer, simpler] {
                    if trial == choices {
                        continue;
                    }
                    let mut draw = Draw::replay(trial);
                    let query = queries::draw(&mut draw, &case.world);
                    if query.sql.len() >= case.sql.len() {
                        continue;
                    }
                    let smaller = Case::new(&case.about, &query, &case.world);
                    if self.shows(&smaller).await {
                        case = smaller;
                        choices = draw.taken().to_vec();
                        took = true;
                        break;
                    }
                }
                if !took {
                    at += width;
                }
            }
        }
        case
    }

    async fn world(&mut self, mut case: Case) -> Case {
        loop {
            let before = self.left;
            let mut took = false;
            for mut world in parts_left_out(&case.world) {
                if self.channel == "twins" {
                    if !twins::hold(&world).await {
                        continue;
                    }
                } else {
                    world
                        .tables
                        .iter_mut()
                        .for_each(|table| table.twin.clone_from(&table.rows));
                }
                let smaller = Case { world, ..case.clone() };
                if self.shows(&smaller).await {
                    case = smaller;
                    took = true;
                    break;
                }
            }
            if !took || before == 0 || self.left == 0 {
                return case;
            }
        }
    }
}

/// The world without one of its parts, the largest parts first.
fn parts_left_out(world: &World) -> Vec<World> {
    let mut smaller = Vec::new();
    let mut put = |change: &dyn Fn(&mut World)| {
        let mut changed = world.clone();
        change(&mut changed);
        smaller.push(changed);
    };
    if !world.views.is_empty() {
        put(&|world| world.views.clear());
    }
    for table in (0..world.tables.len()).filter(|table| world.tables[*table].granted) {
        if world.granted().count() > 1 && table + 1 == world.granted().count() {
            put(&move |world| {
                world.tables.remove(table);
            });
        }
        for index in 0..world.tables[table].filters.len() {
            put(&move |world| {
                world.tables[table].filters.remove(index);
            });
        }
        for column in 0..world.tables[table].columns.len() {
            if !world.tables[table].columns[column].masks.is_empty() {
                put(&move |world| world.tables[table].columns[column].masks.clear());
            }
        }
        for part in [2, 4, 8] {
            let length = world.tables[table].rows.len();
            for start in 0..part {
                let range = length * start / part..length * (start + 1) / part;
                if !range.is_empty() {
                    put(&|world| {
                        world.tables[table].rows.drain(range.clone());
                    });
                    put(&|world| {
                        let twin = &mut world.tables[table].twin;
                        twin.drain(range.start.min(twin.len())..range.end.min(twin.len()));
                    });
                }
            }
        }
    }
    smaller
}
