//! `ambit-oracle --seed N --triples N`: exit code 0 only without a finding. `--world N` runs one world again and prints its queries, `--cases` what was kept.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use ambit_noninterference::cases;
use ambit_noninterference::draw::derived;
use ambit_noninterference::oracle::{self, QUERIES};
use ambit_noninterference::tally::Tally;

/// What a run prints of findings.
const PRINTED_MAX: usize = 10;

struct Arguments {
    seed: u64,
    triples: u64,
    world: Option<u64>,
    shrink: bool,
    save: bool,
    cases: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments {
        seed: 1,
        triples: 1_000,
        world: None,
        shrink: true,
        save: false,
        cases: false,
    };
    let mut rest = std::env::args().skip(1);
    while let Some(name) = rest.next() {
        let mut number = || {
            let value = rest.next().ok_or(format!("{name} needs a number"))?;
            value
                .parse()
                .map_err(|_| format!("{name} needs a number, not `{value}`"))
        };
        match name.as_str() {
            "--seed" => parsed.seed = number()?,
            "--triples" => parsed.triples = number()?,
            "--world" => parsed.world = Some(number()?),
            "--no-shrink" => parsed.shrink = false,
            "--cases" => parsed.cases = true,
            "--save" => parsed.save = true,
            _ => {
                return Err(format!(
                    "unknown option `{name}`: --seed N --triples N --world N --no-shrink --save --cases"
                ));
            }
        }
    }
    Ok(parsed)
}

/// Every case that was kept.
async fn replay() -> ExitCode {
    let mut failed = false;
    for (name, case) in cases::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")) {
        for finding in case.run().await {
            failed = true;
            println!("{name} by {}:\n  {}\n  {}", finding.channel, case.sql, finding.text);
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    if arguments.cases {
        return replay().await;
    }
    let started = Instant::now();
    println!("seed {}", arguments.seed);
    let mut total = Tally::default();
    let mut printed = 0;
    let mut index = 0;
    while total.triples < arguments.triples {
        if index > 0 && arguments.world.is_some() {
            break;
        }
        let seed = arguments.world.unwrap_or_else(|| derived(arguments.seed, index));
        index += 1;
        let alone = arguments.world.is_some();
        let asks = |sql: &str| {
            if alone {
                println!("{sql};");
            }
        };
        let triples = QUERIES.min(arguments.triples - total.triples);
        let (tally, found) = oracle::world(seed, triples, arguments.shrink && printed < PRINTED_MAX, asks).await;
        total.add(tally);
        for found in found {
            printed += 1;
            if printed > PRINTED_MAX {
                continue;
            }
            println!(
                "FINDING by {} in world {}:\n  {}\n  {}",
                found.finding.channel, found.world_seed, found.case.sql, found.finding.text
            );
            if arguments.save {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
                let path = found
                    .case
                    .save(&folder, &format!("{}-{:016x}", found.finding.channel, found.world_seed));
                println!("  kept as {}", path.display());
            }
        }
        if index.is_multiple_of(100) {
            println!(
                "{} triples, {} findings, {:?}",
                total.triples,
                total.findings(),
                started.elapsed()
            );
        }
    }
    println!("{total}seconds {:.1}", started.elapsed().as_secs_f64());
    if total.findings() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
