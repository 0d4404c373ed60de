//! Where restrictions outlive the process: one small file, replaced as a whole.

use crate::base::restriction::Restriction;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The file's name in the state directory.
const FILE: &str = "restrictions.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    restrictions: Vec<Restriction>,
}

/// The file, and how new what it holds is.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    written: Mutex<u64>,
}

impl Store {
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join(FILE), written: Mutex::new(0) }
    }

    /// What was kept; nothing where there is no file.
    ///
    /// # Errors
    /// The file cannot be read. It is never passed over: what was restricted would be asked again.
    pub(super) fn read(&self) -> io::Result<Vec<Restriction>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.about(&error)),
        };
        let document: Document = serde_json::from_slice(&text).map_err(|error| self.about(&io::Error::other(error)))?;
        Ok(document.restrictions)
    }

    /// Replaces the file, unless something newer was written meanwhile.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn write(&self, version: u64, restrictions: &[Arc<Restriction>]) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if version <= *written {
            return Ok(());
        }
        let restrictions = restrictions.iter().map(|one| (**one).clone()).collect();
        let mut text = serde_json::to_vec_pretty(&Document { restrictions }).map_err(io::Error::other)?;
        text.push(b'\n');
        self.replace(&text).map_err(|error| self.about(&error))?;
        *written = version;
        Ok(())
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(directory)?;
        let fresh = self.path.with_extension("json.new");
        let mut file = File::create(&fresh)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        // the name itself must be on the disk too
        File::open(directory)?.sync_all()
    }

    fn about(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}
