//! The decision log on the disk: found and gone on from, appended to, signed, begun anew when it is large.

use crate::audit::{Checkpoint, Header, Reading, Tree, checkpoint_line, leaf, prev_of, read};
use crate::base::hash::Digest;
use crate::observe::decisions::keys::Keys;
use crate::observe::decisions::record::{self, Entry, Opened};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Records after which a checkpoint is due.
pub(super) const SIGN_AFTER: u64 = 1_000;
/// Room that is made for a record; most fit.
const USUAL_BYTES: usize = 1_024;
/// The last checkpoint by itself, to be copied to where nobody can change both.
const CHECKPOINT: &str = "checkpoint";

/// The log as it is being written.
pub(super) struct LogFile {
    directory: PathBuf,
    keys: Arc<Keys>,
    rotate_bytes: u64,
    origin: String,
    number: u64,
    file: File,
    bytes: u64,
    tree: Tree,
    last: Option<Digest>,
    /// The last signed checkpoint, and the records that it covers.
    checkpoint: String,
    signed: u64,
    synced: bool,
}

impl LogFile {
    /// Opens the newest file of the directory and goes on from its last whole record; or begins a log.
    ///
    /// What does not hold is never written on: a log of another name begins, and its first record says why.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn open(directory: &Path, keys: Arc<Keys>, rotate_bytes: u64) -> io::Result<(Self, Opened)> {
        let newest = newest(directory)?;
        let number = newest.as_ref().map_or(0, |(number, _)| *number);
        match newest.map(|(_, path)| found(&path, directory, &keys)).transpose()? {
            Some(Ok(found)) => {
                let torn_bytes = found.set_torn_aside()?;
                let file = OpenOptions::new().append(true).open(&found.path)?;
                let Reading { report, tree, last, checkpoint, whole_bytes } = found.reading;
                let (origin, signed, bytes) = (report.origin, report.signed, whole_bytes as u64);
                let directory = directory.to_owned();
                let synced = false;
                let log = Self {
                    directory,
                    keys,
                    rotate_bytes,
                    origin,
                    number,
                    file,
                    bytes,
                    tree,
                    last,
                    checkpoint,
                    signed,
                    synced,
                };
                Ok((log, Opened { torn_bytes, broken: None }))
            }
            Some(Err(broken)) => {
                let origin = format!("{}/{}", keys.origin, number + 1);
                let log = Self::begin(directory, keys, rotate_bytes, origin, number + 1)?;
                Ok((log, Opened { torn_bytes: 0, broken: Some(broken) }))
            }
            None => {
                let gone = directory.join(CHECKPOINT).exists();
                let broken = gone.then(|| "there is a checkpoint, and the files that it signs are gone".to_owned());
                let random = super::keys::random()?;
                let origin = match gone {
                    true => format!("{}/{}", keys.origin, Digest(random).short()),
                    false => keys.origin.clone(),
                };
                Ok((Self::begin(directory, keys, rotate_bytes, origin, 1)?, Opened { torn_bytes: 0, broken }))
            }
        }
    }

    fn begin(directory: &Path, keys: Arc<Keys>, rotate_bytes: u64, origin: String, number: u64) -> io::Result<Self> {
        let (file, bytes) = create(directory, number, &Header::new(&origin, number, &Tree::default(), None, ""))?;
        Ok(Self {
            directory: directory.to_owned(),
            keys,
            rotate_bytes,
            origin,
            number,
            file,
            bytes,
            tree: Tree::default(),
            last: None,
            checkpoint: String::new(),
            signed: 0,
            synced: true,
        })
    }

    /// The sequence number of the next record.
    pub(super) const fn next(&self) -> u64 {
        self.tree.size()
    }

    /// Whether there are records that no checkpoint covers.
    pub(super) const fn has_unsigned(&self) -> bool {
        self.signed < self.tree.size()
    }

    /// Whether all that was written is on the disk.
    pub(super) const fn is_synced(&self) -> bool {
        self.synced
    }

    /// Appends the first of these entries, up to the next checkpoint, which is then written too. Returns how many.
    ///
    /// # Errors
    /// The disk's: how many of them are written is then found out by opening the log again.
    pub(super) fn append(&mut self, entries: &[Entry]) -> io::Result<usize> {
        self.is_in_its_place()?;
        if self.bytes >= self.rotate_bytes {
            self.rotate()?;
        }
        let room = SIGN_AFTER.saturating_sub(self.tree.size() - self.signed).max(1);
        let batch = entries.get(..usize::try_from(room).unwrap_or(1)).unwrap_or(entries);
        let (mut tree, mut last) = (self.tree.clone(), self.last);
        let mut text = Vec::with_capacity(batch.len() * USUAL_BYTES);
        for entry in batch {
            let start = text.len();
            record::write(&mut text, tree.size(), &prev_of(last.as_ref()), entry, &self.keys);
            let hash = leaf(text.get(start..).unwrap_or_default());
            text.push(b'\n');
            tree.push(hash);
            last = Some(hash);
        }
        self.write(&text)?;
        (self.tree, self.last) = (tree, last);
        if self.tree.size() - self.signed >= SIGN_AFTER {
            self.sign()?;
        }
        Ok(batch.len())
    }

    /// Waits until all of it is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.synced {
            self.file.sync_data()?;
            self.synced = true;
        }
        Ok(())
    }

    /// Signs what is on the disk: never more than would survive.
    pub(super) fn sign(&mut self) -> io::Result<()> {
        self.sync()?;
        let checkpoint =
            Checkpoint { origin: self.origin.clone(), size: self.tree.size(), root: self.tree.root() }.to_string();
        let note = self.keys.signer.sign(&checkpoint);
        self.write(format!("{}\n", checkpoint_line(&note)).as_bytes())?;
        self.sync()?;
        replace(&self.directory.join(CHECKPOINT), note.as_bytes())?;
        (self.checkpoint, self.signed) = (note, self.tree.size());
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.has_unsigned() {
            self.sign()?;
        }
        let number = self.number + 1;
        let header = Header::new(&self.origin, number, &self.tree, self.last.as_ref(), &self.checkpoint);
        (self.file, self.bytes) = create(&self.directory, number, &header)?;
        self.number = number;
        Ok(())
    }

    /// A file that was deleted, or moved away, would go on taking records that nobody finds again.
    fn is_in_its_place(&self) -> io::Result<()> {
        let path = self.directory.join(file_name(self.number));
        if identity(&fs::metadata(&path)?) == identity(&self.file.metadata()?) {
            return Ok(());
        }
        Err(io::Error::other(format!("{} is another file than the one that was begun", path.display())))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.synced = false;
        self.file.write_all(text)?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

/// A file that holds, as far as it is whole.
struct Found {
    path: PathBuf,
    reading: Reading,
    torn: Vec<u8>,
}

impl Found {
    /// Moves what was being written when the process ended into a file of its own. Returns its bytes.
    fn set_torn_aside(&self) -> io::Result<usize> {
        if !self.torn.is_empty() {
            let aside = self.path.with_extension(format!("torn-{}", self.reading.report.next));
            fs::write(aside, &self.torn)?;
            let file = OpenOptions::new().write(true).open(&self.path)?;
            file.set_len(self.reading.whole_bytes as u64)?;
            file.sync_all()?;
        }
        Ok(self.torn.len())
    }
}

/// Reads a file, and says why it cannot be gone on from where it cannot.
fn found(path: &Path, directory: &Path, keys: &Keys) -> io::Result<Result<Found, String>> {
    let mut bytes = fs::read(path)?;
    let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
    let torn = bytes.split_off(whole);
    let verifier = keys.signer.verifier();
    let reading = String::from_utf8(bytes)
        .map_err(|error| format!("{}: byte {} is no text", path.display(), error.utf8_error().valid_up_to()))
        .and_then(|text| read(&text, &verifier).map_err(|finding| format!("{}: {finding}", path.display())));
    let reading = match reading {
        Ok(reading) => reading,
        Err(broken) => return Ok(Err(broken)),
    };
    // what was signed was on the disk before
    let kept = fs::read_to_string(directory.join(CHECKPOINT)).ok();
    let kept = kept.and_then(|note| verifier.open(&note).ok().and_then(Checkpoint::parse));
    let (origin, next) = (&reading.report.origin, reading.report.next);
    if let Some(kept) = kept.filter(|kept| kept.origin == *origin && kept.size > next) {
        return Ok(Err(format!("{}: {} records were signed, and {next} are left", path.display(), kept.size)));
    }
    Ok(Ok(Found { path: path.to_owned(), reading, torn }))
}

/// What tells a file from any other of its time.
#[cfg(unix)]
fn identity(file: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

fn file_name(number: u64) -> String {
    format!("decisions-{number:06}.jsonl")
}

/// The file of the highest number.
fn newest(directory: &Path) -> io::Result<Option<(u64, PathBuf)>> {
    let mut newest = None;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("decisions-")?.strip_suffix(".jsonl")?.parse::<u64>().ok());
        newest = newest.max(number.map(|number| (number, path)));
    }
    Ok(newest)
}

/// A file with its header, whole before it has its name.
fn create(directory: &Path, number: u64, header: &Header) -> io::Result<(File, u64)> {
    let path = directory.join(file_name(number));
    let text = header.line() + "\n";
    replace(&path, text.as_bytes())?;
    Ok((OpenOptions::new().append(true).open(path)?, text.len() as u64))
}

/// Replaces a file as a whole.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}
