//! Every mutant, in a process of its own.

#[path = "../src/mutant.rs"]
#[allow(dead_code)]
mod mutant;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use self::mutant::{Mutant, mutants};
use crate::mutation::CHOSEN;

/// A control that is broken may also make something never end.
const PATIENCE: Duration = Duration::from_secs(45);
const AT_ONCE: usize = 2;
const MUTANTS_MIN: usize = 30;

/// Leaks of a plain filter in DataFusion, each a case of the oracle.
const LEAKS: [&str; 8] = [
    "leak-a-filters-merge",
    "leak-b-cheap-first",
    "leak-c-no-short-circuit",
    "leak-d-projection-slides",
    "leak-e-forged-alias",
    "leak-f-filters-swap",
    "leak-g-file-filters-reorder",
    "row-groups-of-neighbours",
];

fn all() -> Vec<Mutant> {
    mutants(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants"))
}

/// What the tests of these filters say of a mutant: whether they noticed, and which.
fn noticed(mutant: &str, filters: &[String]) -> Result<String, String> {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(filters)
        .args(["--skip", "killed::"])
        .env(CHOSEN, mutant)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program, again");
    let output = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || std::io::read_to_string(output).unwrap_or_default());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break Some(status);
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("a child");
            child.wait().expect("a child");
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let text = reader.join().expect("a reader");
    let ran = text
        .lines()
        .any(|line| line.starts_with("running ") && !line.starts_with("running 0 "));
    assert!(ran, "{mutant}: no test is named like {filters:?}");
    let failed = text
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    let learned = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("learned by: "));
    let failed: Vec<&str> = failed.chain(learned).collect();
    match status {
        Some(status) if status.success() => Err(text),
        Some(_) => Ok(failed.join(" ")),
        None => Ok("it never ends".into()),
    }
}

#[test]
fn every_mutant_is_noticed() {
    let mutants = all();
    assert!(mutants.len() >= MUTANTS_MIN);
    let waiting = Mutex::new(mutants.iter());
    let told = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(mutant) = waiting.lock().expect("no one failed").next() else {
                        break;
                    };
                    let end = noticed(&mutant.name, &mutant.by);
                    told.lock().expect("no one failed").push((mutant, end));
                }
            });
        }
    });
    let mut told = told.into_inner().expect("no one failed");
    told.sort_by(|a, b| (&a.0.control, &a.0.name).cmp(&(&b.0.control, &b.0.name)));
    let mut wrong = Vec::new();
    let mut killed = 0;
    for (mutant, end) in &told {
        let by = match (end, &mutant.survives) {
            (Ok(by), None) => {
                killed += 1;
                by.clone()
            }
            (Err(_), Some(reason)) => format!("survives: {reason}"),
            (Ok(by), Some(_)) => {
                wrong.push(format!("{}: noticed after all, by {by}", mutant.name));
                by.clone()
            }
            (Err(_), None) => {
                wrong.push(format!("{}: nothing noticed", mutant.name));
                "NOTHING".into()
            }
        };
        println!("{:<12} {:<30} {by}", mutant.control, mutant.name);
    }
    println!("{killed} of {} mutants noticed", told.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(killed * 100 >= told.len() * 95);
}

/// The barrier is what stands between these and a consumer.
#[test]
fn a_plain_filter_leaks_in_every_known_way() {
    let cases = ["oracle::cases".to_string()];
    let filter = noticed("barrier-is-a-view", &cases).expect("a plain filter leaks");
    let open = noticed("barrier-is-open", &cases).expect("what stands before it leaks");
    println!("as a view: {filter}\nopen: {open}");
    let found = |leak: &&&str| filter.split(' ').chain(open.split(' ')).any(|name| name == **leak);
    let missed: Vec<_> = LEAKS.iter().filter(|leak| !found(leak)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}
