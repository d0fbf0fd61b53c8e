//! D', which differs from D in hidden rows and in what masks and the grant hide, and in nothing else: each change is held
//! against what the policy then shows.

use serde_json::Value;

use crate::draw::Draw;
use crate::raw;
use crate::tables::{Row, Table};
use crate::world::World;

/// Gives every table its twin.
pub async fn add(draw: &mut Draw, world: &mut World) {
    let mapping = world.mapping().cloned();
    for index in 0..world.tables.len() {
        let table = &world.tables[index];
        if table.granted {
            let twin = twin(draw, table, mapping.as_ref()).await;
            world.tables[index].twin = twin;
        } else {
            // Who else may see what is nobody's business.
            let kept = table.rows.iter().filter(|row| row[0].as_str() != Some("u9")).cloned();
            let mut rows: Vec<Row> = kept.collect();
            rows.extend((0..draw.below(3)).map(|_| vec![Value::from("u9"), Value::from("hush99998x")]));
            world.tables[index].twin = rows;
        }
    }
}

/// Whether the policy shows the same of D and D'.
pub async fn hold(world: &World) -> bool {
    for table in world.granted() {
        let own = raw::shown_by_row(table, &table.rows, world.mapping()).await;
        let twin = raw::shown_by_row(table, &table.twin, world.mapping()).await;
        if own.into_iter().flatten().ne(twin.into_iter().flatten()) {
            return false;
        }
    }
    true
}

async fn twin(draw: &mut Draw, table: &Table, mapping: Option<&Table>) -> Vec<Row> {
    let before = raw::shown_by_row(table, &table.rows, mapping).await;
    let mut candidates = Vec::new();
    let mut origins = Vec::new();
    let mut id = 1_000;
    for (index, row) in table.rows.iter().enumerate() {
        if before[index].is_some() {
            candidates.push(uncovered(draw, table, row));
            origins.push(Some(index));
            continue;
        }
        for _ in 0..[1, 1, 0, 2, 5][draw.below(5)] {
            id += 1;
            candidates.push(if draw.chance(70) {
                table.row(draw, id)
            } else {
                row.clone()
            });
            origins.push(None);
        }
    }
    if draw.chance(40) {
        for _ in 0..draw.below(30) {
            id += 1;
            candidates.push(table.row(draw, id));
            origins.push(None);
        }
    }
    let after = raw::shown_by_row(table, &candidates, mapping).await;
    let mut twin = Vec::new();
    for ((candidate, origin), shown) in candidates.into_iter().zip(origins).zip(after) {
        match origin {
            Some(index) if shown == before[index] => twin.push(candidate),
            Some(index) => twin.push(table.rows[index].clone()),
            None if shown.is_none() => twin.push(candidate),
            None => {}
        }
    }
    twin
}

/// The row with other values where policy may hide them.
fn uncovered(draw: &mut Draw, table: &Table, row: &Row) -> Row {
    let other = table.row(draw, 5_000 + draw_id(row));
    let columns = table.columns.iter().zip(row).zip(other);
    columns
        .map(|((column, own), other)| {
            let covered = !column.shown || !column.masks.is_empty();
            if covered && draw.chance(60) { other } else { own.clone() }
        })
        .collect()
}

fn draw_id(row: &Row) -> usize {
    row.first()
        .and_then(Value::as_u64)
        .and_then(|id| usize::try_from(id).ok())
        .unwrap_or_default()
}
