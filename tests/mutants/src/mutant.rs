//! A mutant is a file: which control is broken, by what change to the engine's sources, and what must notice.
//!
//! ```text
//! control barrier
//! says    what then happens
//! by      cases leaks::
//! @ governed.rs
//! - text that stands once in that file
//! + text in its place: BROKEN is whether this mutant is chosen
//! ```

use std::fs;
use std::path::Path;

pub struct Mutant {
    pub name: String,
    /// What of the engine it breaks.
    pub control: String,
    pub says: String,
    /// Filters of tests that must fail.
    pub by: Vec<String>,
    /// Why nothing can notice, for one that another control covers.
    pub survives: Option<String>,
    pub edits: Vec<Edit>,
}

#[derive(Default)]
pub struct Edit {
    pub file: String,
    pub find: String,
    pub put: String,
}

/// All mutants of a folder, sorted by name.
pub fn mutants(folder: &Path) -> Vec<Mutant> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut mutants: Vec<Mutant> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_string();
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            Some(parsed(name, &text))
        })
        .collect();
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    mutants
}

fn parsed(name: String, text: &str) -> Mutant {
    let mut mutant = Mutant {
        name,
        control: String::new(),
        says: String::new(),
        by: vec![],
        survives: None,
        edits: vec![],
    };
    for line in text.lines() {
        if let Some(file) = line.strip_prefix("@ ") {
            mutant.edits.push(Edit {
                file: file.to_string(),
                ..Edit::default()
            });
        } else if let Some(edit) = mutant.edits.last_mut() {
            match line.split_at_checked(1) {
                Some(("-", rest)) => edit.find = format!("{}\n{rest}", edit.find),
                Some(("+", rest)) => edit.put = format!("{}\n{rest}", edit.put),
                _ => panic!("{}: `{line}` is neither - nor +", mutant.name),
            }
        } else {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "control" => mutant.control = rest.to_string(),
                "says" => mutant.says = rest.to_string(),
                "by" => mutant.by = rest.split_whitespace().map(ToString::to_string).collect(),
                "survives" => mutant.survives = Some(rest.to_string()),
                _ => panic!("{}: `{word}` is no word of a mutant", mutant.name),
            }
        }
    }
    for edit in &mut mutant.edits {
        edit.find = edit.find.trim().to_string();
        edit.put = edit
            .put
            .trim()
            .replace("BROKEN", &format!("crate::mutation::broken({:?})", mutant.name));
    }
    mutant
}
