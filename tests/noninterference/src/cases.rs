//! Cases that were found once, and are run always.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::queries::Query;
use crate::tally::known;
use crate::triple::{FORMATS, Finding, Stage};
use crate::world::World;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// What it showed.
    pub about: String,
    pub sql: String,
    pub ordered: bool,
    pub arbitrary: bool,
    pub fallible: bool,
    /// The code, where no session runs the statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    pub world: World,
}

impl Case {
    pub fn new(about: &str, query: &Query, world: &World) -> Self {
        Self {
            about: about.into(),
            sql: query.sql.clone(),
            ordered: query.ordered,
            arbitrary: query.arbitrary,
            fallible: query.fallible,
            refused: None,
            world: world.clone(),
        }
    }

    pub fn query(&self) -> Query {
        Query {
            sql: self.sql.clone(),
            ordered: self.ordered,
            arbitrary: self.arbitrary,
            fallible: self.fallible,
            features: Default::default(),
        }
    }

    /// Runs it in every format.
    pub async fn run(&self) -> Vec<Finding> {
        let stage = Stage::new(&self.world).await;
        let mut findings = match &self.refused {
            Some(code) => stage.probe(&self.sql, code).await,
            None => stage.run(&self.query(), &FORMATS).await.1,
        };
        findings.retain(|finding| !known(finding.channel));
        findings
    }

    pub fn save(&self, folder: &Path, name: &str) -> PathBuf {
        std::fs::create_dir_all(folder).expect("a folder of cases");
        let path = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(self).expect("a case is JSON");
        std::fs::write(&path, text + "\n").expect("a case can be written");
        path
    }
}

/// All cases of a folder, sorted by name.
pub fn load(folder: &Path) -> Vec<(String, Case)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return vec![];
    };
    let mut cases: Vec<(String, Case)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_string();
            if path.extension()? != "json" {
                return None;
            }
            let text = std::fs::read_to_string(&path).expect("a case can be read");
            let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            Some((name, case))
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}
