//! Copies the engine's sources and tests, with every mutant's change in place: each is asleep until it is chosen.

#[path = "src/mutant.rs"]
#[allow(dead_code)]
mod mutant;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo says where"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo says where")).join("engine");
    let engine = here.join("../../crates/engine");
    let folder = here.join("mutants");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed={}", here.join("src/mutant.rs").display());
    let _ = fs::remove_dir_all(&out);
    for part in ["src", "tests"] {
        println!("cargo::rerun-if-changed={}", engine.join(part).display());
        copy(&engine.join(part), &out.join(part));
    }
    for mutant in mutant::mutants(&folder) {
        for edit in &mutant.edits {
            let path = out.join("src").join(&edit.file);
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let found = text.matches(&edit.find).count();
            assert!(
                found == 1 && !edit.find.is_empty(),
                "mutant `{}`: {found} times in {}:\n{}",
                mutant.name,
                edit.file,
                edit.find
            );
            fs::write(&path, text.replacen(&edit.find, &edit.put, 1)).expect("a copy can be changed");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder for the copies");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        fs::write(&target, included(&path, text)).expect("a copy can be written");
    }
}

/// A crate's root is included into another root, where words about the whole crate may not stand.
fn included(path: &Path, text: String) -> String {
    if !path.ends_with("src/lib.rs") && !path.ends_with("tests/engine.rs") {
        return text;
    }
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("//!") && !line.starts_with("#!["));
    lines.collect::<Vec<_>>().join("\n")
}
