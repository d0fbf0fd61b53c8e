//! Column lineage, held against what it says: a column that is no input of a column of the answer, and not of the answer as
//! a whole, may hold other values, and the column of the answer is the same. Worlds and queries are the oracle's, without
//! policies.

use ambit_protocol::{Lineage, LineageInput, OutcomeStatus, OutputFormat};

use crate::compare::{Cells, cells, decoded, sorted};
use crate::draw::{Draw, derived};
use crate::governed::{Answer, Data, Governed};
use crate::queries;
use crate::world::World;

/// What was looked at.
#[derive(Debug, Default)]
pub struct Held {
    /// Queries that were answered over both.
    pub answered: u64,
    /// Columns of answers that the changed column is no input of.
    pub apart: u64,
    /// Columns of answers that it is an input of, and that changed.
    pub moved: u64,
    /// Columns of answers that changed, and its lineage does not say why.
    pub unlike: Vec<String>,
}

/// One world and its queries, over rows with other values in one column.
pub async fn world(seed: u64, count: u64) -> Held {
    let mut draw = Draw::seeded(seed);
    let mut world = World::draw(&mut draw).await;
    for table in &mut world.tables {
        table.filters.clear();
        table.columns.iter_mut().for_each(|column| column.masks.clear());
        table.twin = table.rows.clone();
    }
    let (table, column) = other_values(&mut draw, &mut world);
    let visible: Vec<_> = world.tables.iter().map(|table| table.rows.clone()).collect();
    let governed = Governed::new(&world, &visible);
    let mut held = Held::default();
    for index in 0..count {
        let query = queries::draw(&mut Draw::seeded(derived(seed, index)), &world);
        // Rows that nobody asked for in this order may be others for any reason.
        if query.arbitrary {
            continue;
        }
        let before = governed.ask(Data::Own, &query.sql, OutputFormat::Arrow).await;
        let after = governed.ask(Data::Twin, &query.sql, OutputFormat::Arrow).await;
        let (Some(one), Some(other)) = (answered(&before), answered(&after)) else {
            continue;
        };
        held.answered += 1;
        let lineage = &before.planned.as_ref().expect("what was answered was planned").lineage;
        for position in 0..lineage.columns.len() {
            let same = column_of(&one, position) == column_of(&other, position);
            if has(lineage, position, &table, &column) {
                held.moved += u64::from(!same);
                continue;
            }
            held.apart += 1;
            if !same {
                let text = format!("seed {seed}: {table}.{column} moves column {position} of {}", query.sql);
                held.unlike.push(text);
            }
        }
    }
    held
}

/// Draws a shown column and gives its twin the values of other rows of the kind.
fn other_values(draw: &mut Draw, world: &mut World) -> (String, String) {
    let granted: Vec<usize> = (0..world.tables.len()).filter(|at| world.tables[*at].granted).collect();
    let table = &mut world.tables[*draw.pick(&granted)];
    let shown: Vec<usize> = (0..table.columns.len())
        .filter(|at| table.columns[*at].shown && table.columns[*at].name != "id")
        .collect();
    let at = *draw.pick(&shown);
    for number in 0..table.twin.len() {
        let other = table.row(draw, number);
        table.twin[number][at] = other[at].clone();
    }
    (table.name.clone(), table.columns[at].name.clone())
}

fn answered(answer: &Answer) -> Option<Cells> {
    let completed = answer.outcome.status == OutcomeStatus::Completed;
    completed.then(|| cells(&decoded(&answer.bytes()).1))
}

/// A column's values, in no order: of rows that are equal in what they are sorted by, it is open.
fn column_of(rows: &Cells, position: usize) -> Cells {
    sorted(rows.iter().map(|row| vec![row[position].clone()]).collect())
}

fn has(lineage: &Lineage, position: usize, table: &str, column: &str) -> bool {
    let is = |input: &LineageInput| input.table == table && input.column == column;
    lineage.dataset.iter().any(is) || lineage.columns[position].inputs.iter().any(is)
}
