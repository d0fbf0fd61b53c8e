//! Checks an evidence log with Cloudflare's implementations of C2SP signed-note, tlog-checkpoint and tlog-tiles: nothing of
//! Ambit's own takes part but the layout of its folder.
//!
//!     ambit-third-party FOLDER VERIFIER_KEY [RECEIPT]
//!
//! Prints how many records the checkpoint covers. Exit status 0: its signature is good, the entries make its root, every tile is of
//! that tree, and the receipt's records are in the receipt's tree, which this tree begins with.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, HashReader, Tile, check_record, check_tree, prove_tree, record_hash, stored_hashes,
    tree_hash,
};

type Failure = Box<dyn std::error::Error>;

/// Levels between two levels of tiles.
const HEIGHT: u8 = 8;

/// Hashes of the whole tree, as the crate numbers them.
struct Hashes(Vec<Hash>);

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        let hash = |index: &u64| {
            usize::try_from(*index)
                .ok()
                .and_then(|index| self.0.get(index).copied())
        };
        indexes
            .iter()
            .map(|index| hash(index).ok_or(Error::IndexesNotInTree))
            .collect()
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let checked = match words.as_slice() {
        [folder, key] => check(Path::new(folder), key, None),
        [folder, key, receipt] => check(Path::new(folder), key, Some(receipt)),
        _ => Err("FOLDER VERIFIER_KEY [RECEIPT]".into()),
    };
    match checked {
        Ok(size) => {
            println!("{size}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check(folder: &Path, key: &str, receipt: Option<&str>) -> Result<u64, Failure> {
    let checkpoint = opened(&fs::read(folder.join("checkpoint"))?, key)?;
    let size = checkpoint.size();
    let mut hashes = Hashes(vec![]);
    for (number, entry) in (0..).zip(entries(folder, size)?) {
        let made = stored_hashes(number, &entry, &hashes)?;
        hashes.0.extend(made);
    }
    if tree_hash(size, &hashes)? != *checkpoint.hash() {
        return Err("the entries do not make the root of the checkpoint".into());
    }
    for tile in Tile::new_tiles(HEIGHT, 0, size) {
        if read(folder, &tile)? != tile.read_data(&hashes)? {
            return Err(format!("`{}` is not of the tree", tile.path()).into());
        }
    }
    if let Some(receipt) = receipt {
        check_receipt(receipt, key, &checkpoint, &hashes)?;
    }
    Ok(size)
}

/// The crate names tiles as its ancestor in Go does: with their height, and bundles as data.
fn read(folder: &Path, tile: &Tile) -> Result<Vec<u8>, Failure> {
    let path = tile.path().replacen("tile/8/data/", "tile/entries/", 1);
    Ok(fs::read(folder.join(path.replacen("tile/8/", "tile/", 1)))?)
}

/// A checkpoint that this key signed.
fn opened(note: &[u8], key: &str) -> Result<Checkpoint, Failure> {
    let note = Note::from_bytes(note)?;
    note.verify(&VerifierList::new(vec![Box::new(StandardVerifier::new(key)?)]))?;
    Checkpoint::from_bytes(note.text()).map_err(|error| error.to_string().into())
}

/// Entries of all bundles.
fn entries(folder: &Path, size: u64) -> Result<Vec<Vec<u8>>, Failure> {
    let mut entries = vec![];
    for mut tile in Tile::new_tiles(HEIGHT, 0, size)
        .into_iter()
        .filter(|tile| tile.level() == 0)
    {
        tile.set_is_data();
        let bytes = read(folder, &tile)?;
        let mut rest = bytes.as_slice();
        while let [high, low, body @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (entry, after) = body.split_at_checked(length).ok_or("a bundle is cut")?;
            entries.push(entry.to_vec());
            rest = after;
        }
    }
    if entries.len() as u64 != size {
        return Err(format!("the bundles have {} entries, not {size}", entries.len()).into());
    }
    Ok(entries)
}

fn check_receipt<R: HashReader>(file: &str, key: &str, now: &Checkpoint, hashes: &R) -> Result<(), Failure> {
    let receipt: serde_json::Value = serde_json::from_slice(&fs::read(file)?)?;
    let text = |value: &serde_json::Value| value.as_str().map(ToOwned::to_owned).ok_or("a receipt has texts");
    let old = opened(text(&receipt["checkpoint"])?.as_bytes(), key)?;
    for entry in receipt["entries"].as_array().ok_or("a receipt has entries")? {
        let proof = entry["proof"].as_array().ok_or("an entry has a proof")?;
        let proof: Result<Vec<Hash>, Failure> = proof.iter().map(|hash| Ok(Hash::parse_hash(&text(hash)?)?)).collect();
        let index = entry["index"].as_u64().ok_or("an entry has an index")?;
        check_record(
            &proof?,
            old.size(),
            *old.hash(),
            index,
            record_hash(text(&entry["entry"])?.as_bytes()),
        )?;
    }
    let grown = prove_tree(now.size(), old.size(), hashes)?;
    Ok(check_tree(&grown, now.size(), *now.hash(), old.size(), *old.hash())?)
}
